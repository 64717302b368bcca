/**
 * Which branch a page shows. The address says it: /c/<id> shows the selected branch, ?leaf=<message> the branch that
 * ends there without selecting it, ?message=<message> a branch through that message, which is scrolled to.
 */
import { useQuery } from '@tanstack/react-query';
import { useCallback } from 'react';
import { useLocation, useNavigate, useSearchParams } from 'react-router';

import { asProblem } from '../../api/problems.js';
import { keys } from '../../app/cache.js';
import { useTranscript } from '../conversations/queries.js';
import { openThrough } from './branchPages.js';

/**
 * @typedef {object} Target a message to scroll to
 * @property {string} id
 * @property {string} visit changes with every visit of an address, also of the same one
 *
 * @typedef {object} BranchView
 * @property {string|null} leafId null: the selected branch
 * @property {ReturnType<typeof useTranscript>} transcript
 * @property {Target|null} target
 * @property {boolean} missing the address names a message that this conversation does not have
 * @property {() => void} showSelected go to the address that shows the selected branch
 */

/** @param {unknown} error */
function namesNoMessage(error) {
  if (!error) return false;
  const problem = asProblem(error);
  return problem.code === 'message_not_found' || problem.status === 400;
}

/**
 * @param {string|null} conversationId
 * @returns {BranchView}
 */
export function useBranchView(conversationId) {
  const [params] = useSearchParams();
  const { key: visit, hash } = useLocation();
  const navigate = useNavigate();
  const named = conversationId === null ? null : params.get('leaf') || null;
  const messageId = conversationId === null ? null : params.get('message') || null;

  const found = useQuery({
    queryKey: [...keys.through(conversationId ?? '', messageId ?? ''), named],
    enabled: messageId !== null,
    gcTime: 0,
    queryFn: ({ signal }) =>
      openThrough(/** @type {string} */ (conversationId), /** @type {string} */ (messageId), named, signal),
  });
  const opening = messageId !== null && found.isPending;
  const wanted = messageId !== null && found.data ? found.data.leafId : named;

  const branch = useTranscript(conversationId, wanted ?? '', { enabled: wanted !== null && !opening });
  const noBranch = wanted !== null && namesNoMessage(branch.error);
  const leafId = noBranch ? null : wanted;
  const selected = useTranscript(conversationId, null, { enabled: leafId === null && !opening });

  const showSelected = useCallback(() => {
    if (window.location.search) void navigate(window.location.pathname, { replace: true });
  }, [navigate]);

  const scrollTo = messageId ?? hash.slice(1);
  return {
    leafId,
    transcript: leafId === null ? selected : branch,
    target: scrollTo && !opening ? { id: scrollTo, visit } : null,
    missing: noBranch || (messageId !== null && namesNoMessage(found.error)),
    showSelected,
  };
}
