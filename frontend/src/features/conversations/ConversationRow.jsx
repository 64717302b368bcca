/** One conversation in the list: its link, its menu, renaming in place. */
import { useRef, useState } from 'react';
import { Link, useNavigate } from 'react-router';

import { showToast } from '../../ui/toasts.jsx';
import { IconButton } from '../../ui/Button.jsx';
import { ConfirmDialog } from '../../ui/Dialog.jsx';
import { ArchiveIcon, MoreIcon, PencilIcon, PinIcon, TrashIcon } from '../../ui/icons.jsx';
import { MenuContent, MenuItem, MenuLine, MenuRoot, MenuTrigger } from '../../ui/Menu.jsx';
import styles from './ConversationRow.module.css';
import { ExportItems } from './ExportItems.jsx';
import { useChangeConversation, useDeleteConversation } from './queries.js';

/** @typedef {import('../../api/types.js').Conversation} Conversation */

/**
 * By promise, because the row itself may be gone by then; a failure has been told by the mutation already.
 * @param {Promise<unknown>} command
 * @param {() => void} next
 */
function afterSuccess(command, next) {
  command.then(next, () => undefined);
}

/** @param {{conversation: Conversation, current: boolean}} props */
export function ConversationRow({ conversation, current }) {
  const [renaming, setRenaming] = useState(false);
  const [deleting, setDeleting] = useState(false);
  /** @type {import('react').RefObject<HTMLButtonElement|null>} */
  const menuButton = useRef(null);
  const change = useChangeConversation();
  const remove = useDeleteConversation();
  const navigate = useNavigate();
  const { id, pinned, archived } = conversation;
  const title = conversation.title || 'New conversation';

  if (renaming) {
    return (
      <RenameField
        title={conversation.title}
        onDone={(next) => {
          setRenaming(false);
          requestAnimationFrame(() => menuButton.current?.focus());
          if (next) change.mutate({ id, fields: { title: next } });
        }}
      />
    );
  }

  const archive = () => {
    const done = change.mutateAsync({ id, fields: { archived: !archived } });
    afterSuccess(done, () =>
      showToast({
        text: archived ? 'Conversation is back in the list.' : 'Conversation archived.',
        action: { label: 'Undo', run: () => change.mutate({ id, fields: { archived } }) },
      }),
    );
  };

  return (
    <div className={`${styles.row} ${current ? styles.current : ''}`}>
      <Link to={`/c/${id}`} className={styles.link} aria-current={current ? 'page' : undefined} title={title}>
        {pinned && (
          <span className={styles.pin}>
            <PinIcon size={14} />
          </span>
        )}
        <span className={styles.title}>{title}</span>
        {conversation.pending_reply && <span className={styles.replying} title="A reply is being written" />}
      </Link>
      <MenuRoot>
        <MenuTrigger asChild>
          <IconButton ref={menuButton} small label={`More actions for ${title}`} className={styles.more}>
            <MoreIcon />
          </IconButton>
        </MenuTrigger>
        {/* What takes the focus opens after the menu has given it back. */}
        <MenuContent align="start">
          <MenuItem onSelect={() => setTimeout(() => setRenaming(true))}>
            <PencilIcon />
            Rename
          </MenuItem>
          <MenuItem onSelect={() => change.mutate({ id, fields: { pinned: !pinned } })}>
            <PinIcon />
            {pinned ? 'Unpin' : 'Pin'}
          </MenuItem>
          <MenuItem onSelect={archive}>
            <ArchiveIcon />
            {archived ? 'Unarchive' : 'Archive'}
          </MenuItem>
          <MenuLine />
          <ExportItems conversationId={id} icons />
          <MenuLine />
          <MenuItem danger onSelect={() => setTimeout(() => setDeleting(true))}>
            <TrashIcon />
            Delete
          </MenuItem>
        </MenuContent>
      </MenuRoot>
      <ConfirmDialog
        open={deleting}
        onOpenChange={setDeleting}
        title="Delete this conversation?"
        description={`“${title}” leaves your list. You can undo this for a few seconds; what was said stays in the record.`}
        confirmLabel="Delete"
        onConfirm={() => afterSuccess(remove.mutateAsync(conversation), () => current && navigate('/'))}
      />
    </div>
  );
}

/** @param {{title: string, onDone: (title: string|null) => void}} props */
function RenameField({ title, onDone }) {
  const finished = useRef(false);
  // The title may change elsewhere meanwhile: who has not written another one does not bring the old one back.
  const [before] = useState(title);
  /** @param {string|null} value */
  const finish = (value) => {
    if (finished.current) return;
    finished.current = true;
    onDone(value === before ? null : value);
  };
  return (
    <input
      className={styles.rename}
      aria-label="Conversation title"
      defaultValue={before}
      maxLength={200}
      data-owns-escape
      // eslint-disable-next-line jsx-a11y/no-autofocus -- the person has just asked to type here
      autoFocus
      onFocus={(event) => event.target.select()}
      onBlur={(event) => finish(event.target.value.trim())}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (event.key === 'Enter') finish(event.currentTarget.value.trim());
        if (event.key === 'Escape') {
          event.stopPropagation();
          finish(null);
        }
      }}
    />
  );
}
