/** The list of conversations, newest first under the headings of their days; only rows near the view are in the page. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useMatch, useNavigate } from 'react-router';

import { asProblem } from '../../api/problems.js';
import { setDrawer, toggleSidebar, useSidebar } from '../../app/sidebarState.js';
import { Button, IconButton } from '../../ui/Button.jsx';
import { Notice } from '../../ui/Field.jsx';
import { ArchiveIcon, BackIcon, NewChatIcon, SidebarIcon } from '../../ui/icons.jsx';
import { Quotes } from '../../ui/Marks.jsx';
import { showToast } from '../../ui/toasts.jsx';
import { SearchButton } from '../search/SearchButton.jsx';
import { AccountMenu } from './AccountMenu.jsx';
import { ConversationRow } from './ConversationRow.jsx';
import { groupByDate } from './groupByDate.js';
import { loadMoreConversations, useConversationList } from './queries.js';
import styles from './Sidebar.module.css';
import { useToday } from './useToday.js';

/** @typedef {import('../../api/types.js').Conversation} Conversation */
/** @typedef {import('../../app/reduceChange.js').View} View */

const ROW_PX = 36;
const HEADING_PX = 38;
const FETCH_MORE_WITHIN_ROWS = 20;

/** @param {{onShortcuts: () => void, onSearch: () => void}} props */
export function Sidebar({ onShortcuts, onSearch }) {
  const [view, setView] = useState(/** @type {View} */ ('active'));
  const navigate = useNavigate();
  const { visible } = useSidebar();
  return (
    <nav className={styles.sidebar} aria-label="Conversations and account">
      <div className={styles.head}>
        <span className={styles.brand}>
          <Quotes size={18} />
          Verbatim
        </span>
        <IconButton
          label="Hide conversations"
          aria-expanded
          onClick={() => (visible ? toggleSidebar() : setDrawer(false))}
        >
          <SidebarIcon />
        </IconButton>
      </div>
      <div className={styles.new}>
        <Button
          className={styles.newButton}
          onClick={() => {
            setDrawer(false);
            navigate('/');
          }}
        >
          <NewChatIcon />
          New chat
        </Button>
        <SearchButton onSearch={onSearch} />
      </div>
      {view === 'archived' && (
        <button type="button" className={styles.back} onClick={() => setView('active')}>
          <BackIcon />
          Archived
          <span className="visually-hidden">: back to all conversations</span>
        </button>
      )}
      <ConversationList key={view} view={view} />
      <div className={styles.foot}>
        {view === 'active' && (
          <button type="button" className={styles.archived} onClick={() => setView('archived')}>
            <ArchiveIcon />
            Archived
          </button>
        )}
        <AccountMenu onShortcuts={onShortcuts} />
      </div>
    </nav>
  );
}

/**
 * Headings and rows as one flat list, for the virtualizer.
 * @typedef {{key: string, heading: string, row: null}|{key: string, heading: null, row: Conversation}} Entry
 */

/** @param {{view: View}} props */
function ConversationList({ view }) {
  const list = useConversationList(view);
  const today = useToday();
  const shown = useMatch('/c/:id')?.params.id;
  /** @type {import('react').RefObject<HTMLDivElement|null>} */
  const scroller = useRef(null);

  const entries = useMemo(() => {
    const groups = groupByDate(list.data?.rows ?? [], today);
    return groups.flatMap((group) => [
      /** @type {Entry} */ ({ key: `heading ${group.label}`, heading: group.label, row: null }),
      ...group.rows.map((row) => /** @type {Entry} */ ({ key: row.id, heading: null, row })),
    ]);
  }, [list.data?.rows, today]);

  // eslint-disable-next-line react-hooks/incompatible-library -- the virtualizer is read in this component only
  const virtualizer = useVirtualizer({
    count: entries.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => (entries[index]?.row ? ROW_PX : HEADING_PX),
    getItemKey: (index) => entries[index]?.key ?? index,
    overscan: 8,
  });
  const visible = virtualizer.getVirtualItems();
  const lastVisible = visible.at(-1)?.index ?? 0;
  const wantsMore = Boolean(list.data?.next) && lastVisible >= entries.length - FETCH_MORE_WITHIN_ROWS;
  useEffect(() => {
    if (!wantsMore) return;
    loadMoreConversations(view).catch((error) => showToast({ text: asProblem(error).message }));
  }, [wantsMore, view, entries.length]);

  return (
    <section className={styles.list} aria-label="Conversations" ref={scroller}>
      {list.isError && (
        <div className={styles.note}>
          <Notice>{asProblem(list.error).message}</Notice>
          <Button onClick={() => void list.refetch()}>Retry</Button>
        </div>
      )}
      {list.isSuccess && entries.length === 0 && (
        <p className={styles.note}>
          {view === 'archived'
            ? 'Nothing is archived.'
            : 'Your conversations will be listed here.'}
        </p>
      )}
      <div className={styles.entries} role="list" style={{ height: virtualizer.getTotalSize() }}>
        {visible.map((slot) => {
          const entry = /** @type {Entry} */ (entries[slot.index]);
          const style = { transform: `translateY(${slot.start}px)`, height: slot.size };
          if (entry.row === null) {
            return (
              <div key={entry.key} className={styles.heading} role="listitem" style={style}>
                <h2>{entry.heading}</h2>
              </div>
            );
          }
          return (
            <div key={entry.key} className={styles.slot} role="listitem" style={style}>
              <ConversationRow conversation={entry.row} current={entry.row.id === shown} />
            </div>
          );
        })}
      </div>
    </section>
  );
}
