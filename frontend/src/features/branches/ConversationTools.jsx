/**
 * The tools in the head of a conversation: its tree, comparing branches, running one again, its history, its settings. Each
 * opens something that is fetched only then.
 */
import { Suspense, lazy, useState } from 'react';
import { useNavigate } from 'react-router';

import { IconButton } from '../../ui/Button.jsx';
import { MoreIcon, TreeIcon } from '../../ui/icons.jsx';
import { MenuContent, MenuItem, MenuLine, MenuRoot, MenuTrigger } from '../../ui/Menu.jsx';
import { ExportItems } from '../conversations/ExportItems.jsx';

const ConversationSettingsDialog = lazy(() => import('../settings/ConversationSettingsDialog.jsx'));
const ReplayDialog = lazy(() => import('../replay/ReplayDialog.jsx'));

/** @typedef {import('../../api/types.js').Conversation} Conversation */

/**
 * @param {{
 *   conversation: Conversation,
 *   leafId: string|null,
 *   treeOpen: boolean,
 *   onTree: () => void,
 *   children?: import('react').ReactNode,
 * }} props leafId: the end of the branch on screen; children: more items of the menu
 */
export function ConversationTools({ conversation, leafId, treeOpen, onTree, children }) {
  const navigate = useNavigate();
  const [replaying, setReplaying] = useState(false);
  const [changing, setChanging] = useState(false);
  const path = `/c/${conversation.id}`;
  return (
    <>
      <IconButton label="Tree" aria-expanded={treeOpen} onClick={onTree}>
        <TreeIcon />
      </IconButton>
      <MenuRoot>
        <MenuTrigger asChild>
          <IconButton label="More about this conversation">
            <MoreIcon />
          </IconButton>
        </MenuTrigger>
        <MenuContent align="end">
          <MenuItem onSelect={() => void navigate(leafId ? `${path}/compare?left=${leafId}` : `${path}/compare`)}>
            Compare branches
          </MenuItem>
          <MenuItem disabled={leafId === null} onSelect={() => setReplaying(true)}>
            Run this branch again…
          </MenuItem>
          <MenuItem onSelect={() => void navigate(`${path}/at/${conversation.version}`)}>History</MenuItem>
          {/* What takes the focus opens after the menu has given it back. */}
          <MenuItem onSelect={() => setTimeout(() => setChanging(true))}>Settings…</MenuItem>
          {children}
          <MenuLine />
          <ExportItems conversationId={conversation.id} />
        </MenuContent>
      </MenuRoot>
      {changing && (
        <Suspense fallback={null}>
          <ConversationSettingsDialog conversation={conversation} onClose={() => setChanging(false)} />
        </Suspense>
      )}
      {replaying && leafId !== null && (
        <Suspense fallback={null}>
          <ReplayDialog conversation={conversation} leafId={leafId} onClose={() => setReplaying(false)} />
        </Suspense>
      )}
    </>
  );
}
