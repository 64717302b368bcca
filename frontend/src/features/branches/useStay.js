/**
 * Another window selected another branch: this one stays with what is being read here, under the address of that
 * branch, and says so. Once that branch is the selected one again, the address is the plain one again.
 */
import { useEffect } from 'react';
import { useLocation, useNavigate } from 'react-router';

import { keys } from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';
import { whenSelectedElsewhere } from '../../app/selections.js';
import { announce } from '../../ui/announcer.jsx';

/** @typedef {import('../../app/reduceChange.js').Transcript} Transcript */
/** @typedef {import('./useBranchView.js').BranchView} BranchView */

/**
 * @param {string|null} conversationId
 * @param {BranchView} view
 * @param {string|null} selectedLeafId
 * @returns {boolean} whether this window has stayed
 */
export function useStay(conversationId, view, selectedLeafId) {
  const navigate = useNavigate();
  const { state } = useLocation();
  const { leafId, showSelected } = view;
  const stayed = leafId !== null && Boolean(state?.stayed);

  useEffect(() => {
    if (conversationId === null || leafId !== null) return undefined;
    return whenSelectedElsewhere(conversationId, () => {
      /** @type {Transcript|undefined} */
      const shown = queryClient.getQueryData(keys.transcript(conversationId));
      const end = shown?.rows.at(-1);
      // What this window is sending just now selects itself.
      if (!end || end.local) return false;
      queryClient.setQueryData(keys.branch(conversationId, end.id), shown);
      void navigate(`/c/${conversationId}?leaf=${end.id}`, { replace: true, state: { stayed: true } });
      announce('Another branch was selected in another window. This one stays here.');
      return true;
    });
  }, [conversationId, leafId, navigate]);

  useEffect(() => {
    if (stayed && leafId === selectedLeafId) showSelected();
  }, [stayed, leafId, selectedLeafId, showSelected]);

  return stayed;
}
