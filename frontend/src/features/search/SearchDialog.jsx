/**
 * Finding a conversation or a message, and going there. The text field keeps the focus; the arrow keys move through
 * what was found (combobox and listbox). With nothing typed it lists where to go: recent conversations and actions.
 */
import { Dialog as RadixDialog } from 'radix-ui';
import { useEffect, useId, useRef, useState } from 'react';
import { useLocation, useNavigate } from 'react-router';

import { asProblem } from '../../api/problems.js';
import { setDrawer } from '../../app/sidebarState.js';
import { announce } from '../../ui/announcer.jsx';
import { Button, IconButton } from '../../ui/Button.jsx';
import { useReturnFocus } from '../../ui/Dialog.jsx';
import { Notice } from '../../ui/Field.jsx';
import { CloseIcon, SearchIcon } from '../../ui/icons.jsx';
import { useConversationList } from '../conversations/queries.js';
import { withFilter } from './filters.js';
import { Narrowing } from './Narrowing.jsx';
import { Option } from './Option.jsx';
import styles from './SearchDialog.module.css';
import { useSearch } from './useSearch.js';

/** @typedef {import('./Option.jsx').Entry} Entry */
/** @typedef {{label: string, entries: Entry[]}} Group */

const RECENT_SHOWN = 6;
const LONGEST_QUERY = 500;

/** @param {{onClose: () => void, onShortcuts: () => void}} props */
export default function SearchDialog({ onClose, onShortcuts }) {
  const focus = useReturnFocus();
  // Where the person goes to takes the focus; only a search that was given up gives it back.
  const leaving = useRef(false);
  /** @type {import('react').RefObject<(() => void)|null>} */
  const afterwards = useRef(null);
  return (
    <RadixDialog.Root open onOpenChange={(open) => !open && onClose()}>
      <RadixDialog.Portal>
        <RadixDialog.Overlay className={styles.veil} />
        <RadixDialog.Content
          className={styles.dialog}
          aria-describedby={undefined}
          onOpenAutoFocus={focus.onOpenAutoFocus}
          onCloseAutoFocus={(event) => {
            if (leaving.current) event.preventDefault();
            else focus.onCloseAutoFocus(event);
            afterwards.current?.();
          }}
        >
          <RadixDialog.Title className="visually-hidden">Search</RadixDialog.Title>
          <SearchBody
            onGo={() => {
              leaving.current = true;
              setDrawer(false);
              onClose();
            }}
            onShortcuts={() => {
              afterwards.current = onShortcuts;
              onClose();
            }}
          />
        </RadixDialog.Content>
      </RadixDialog.Portal>
    </RadixDialog.Root>
  );
}

/** The conversation on screen, also on its other pages. */
function useShownConversation() {
  const { pathname } = useLocation();
  return /^\/c\/([^/]+)/.exec(pathname)?.[1] ?? null;
}

/** @param {{onGo: () => void, onShortcuts: () => void}} props */
function SearchBody({ onGo, onShortcuts }) {
  const id = useId();
  const shown = useShownConversation();
  const [text, setText] = useState('');
  const [onlyHere, setOnlyHere] = useState(false);
  const search = useSearch(text, onlyHere ? shown : null);
  const places = usePlaces(onGo, onShortcuts);
  const groups = text.trim() === '' ? places : foundGroups(search.hits, onGo);
  const entries = groups.flatMap((group) => group.entries);
  const [active, setActive] = useActive(`${search.query}|${text.trim() === ''}|${onlyHere}`, entries.length);
  /** @type {import('react').RefObject<HTMLInputElement|null>} */
  const field = useRef(null);
  const optionId = (/** @type {number} */ index) => `${id}-option-${index}`;
  const activeId = entries.length > 0 ? optionId(active) : undefined;
  useAnnouncedCount(search);

  useEffect(() => {
    if (activeId) document.getElementById(activeId)?.scrollIntoView({ block: 'nearest' });
  }, [activeId]);

  /** @param {import('react').KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (event.nativeEvent.isComposing || entries.length === 0) return;
    if (event.key === 'ArrowDown') setActive((active + 1) % entries.length);
    else if (event.key === 'ArrowUp') setActive((active - 1 + entries.length) % entries.length);
    // What is on screen while newer results are on their way is not what was asked for.
    else if (event.key === 'Enter' && activeId && !(search.behind && text.trim())) document.getElementById(activeId)?.click();
    else return;
    event.preventDefault();
  };

  const listed = groups.map((group, place) => ({
    ...group,
    start: groups.slice(0, place).reduce((sum, { entries: before }) => sum + before.length, 0),
  }));
  return (
    <>
      <div className={styles.head}>
        <SearchIcon />
        <input
          ref={field}
          className={styles.field}
          role="combobox"
          aria-label="Search conversations and messages"
          aria-expanded={entries.length > 0}
          aria-controls={entries.length > 0 ? `${id}-list` : undefined}
          aria-activedescendant={activeId}
          aria-autocomplete="list"
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          enterKeyHint="go"
          maxLength={LONGEST_QUERY}
          placeholder="Search conversations and messages"
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKeyDown}
        />
        <RadixDialog.Close asChild>
          <IconButton label="Close">
            <CloseIcon />
          </IconButton>
        </RadixDialog.Close>
      </div>
      <div className={styles.results}>
        {text.trim() !== '' && <State search={search} />}
        {entries.length > 0 && (
          <div id={`${id}-list`} role="listbox" aria-label="Where to go" aria-busy={search.behind && text.trim() !== ''}>
            {listed.map((group, place) => (
              <div key={group.label} role="group" aria-labelledby={`${id}-group-${place}`}>
                <div id={`${id}-group-${place}`} className={styles.group} role="presentation">
                  {group.label}
                </div>
                {group.entries.map((entry, index) => (
                  <Option
                    key={entry.key}
                    id={optionId(group.start + index)}
                    entry={entry}
                    active={group.start + index === active}
                    onActive={() => setActive(group.start + index)}
                  />
                ))}
              </div>
            ))}
          </div>
        )}
        {text.trim() !== '' && search.hasNextPage && !search.behind && (
          <div className={styles.more}>
            <Button
              disabled={search.isFetchingNextPage}
              onClick={async () => {
                const { hasNextPage } = await search.fetchNextPage();
                // The button goes with the last page; the focus must not go with it.
                if (!hasNextPage) field.current?.focus();
              }}
            >
              {search.isFetchingNextPage ? 'Searching…' : 'More results'}
            </Button>
          </div>
        )}
      </div>
      <Narrowing
        onFilter={(filter) => {
          setText(withFilter(text, filter));
          field.current?.focus();
        }}
        onlyHere={shown === null ? null : onlyHere}
        onOnlyHere={setOnlyHere}
      />
    </>
  );
}

/**
 * Which entry is the active one: the first, whenever others are listed.
 * @param {string} list
 * @param {number} count
 * @returns {[number, (index: number) => void]}
 */
function useActive(list, count) {
  const [active, setActive] = useState({ list, index: 0 });
  const index = active.list === list ? Math.min(active.index, Math.max(0, count - 1)) : 0;
  return [index, (next) => setActive({ list, index: next })];
}

/**
 * @param {() => void} onGo
 * @param {() => void} onShortcuts
 * @returns {Group[]}
 */
function usePlaces(onGo, onShortcuts) {
  const navigate = useNavigate();
  const list = useConversationList('active');
  const recent = [...(list.data?.rows ?? [])]
    .sort((a, b) => (a.updated_at < b.updated_at ? 1 : -1))
    .slice(0, RECENT_SHOWN);
  /** @type {(path: string) => () => void} */
  const goTo = (path) => () => {
    onGo();
    void navigate(path);
  };
  /** @type {Group[]} */
  const groups = [
    {
      label: 'Recent conversations',
      entries: recent.map(({ id, title }) => ({ key: id, kind: 'place', label: title || 'New conversation', to: `/c/${id}`, run: onGo })),
    },
    {
      label: 'Actions',
      entries: [
        { key: 'new', kind: 'action', label: 'New chat', run: goTo('/') },
        { key: 'calls', kind: 'action', label: 'Model calls', run: goTo('/audit/calls') },
        { key: 'tokens', kind: 'action', label: 'API tokens', run: goTo('/settings/tokens') },
        { key: 'settings', kind: 'action', label: 'Settings', run: goTo('/settings') },
        { key: 'shortcuts', kind: 'action', label: 'Keyboard shortcuts', run: onShortcuts },
      ],
    },
  ];
  return groups.filter(({ entries }) => entries.length > 0);
}

/**
 * @param {import('../../api/search.js').SearchHit[]} hits
 * @param {() => void} onGo
 * @returns {Group[]}
 */
function foundGroups(hits, onGo) {
  if (hits.length === 0) return [];
  const entries = hits.map((hit) => {
    const path = `/c/${hit.conversation_id}`;
    const to = hit.message_id === null ? path : `${path}?message=${hit.message_id}`;
    return /** @type {Entry} */ ({ key: `${hit.kind} ${hit.message_id ?? hit.conversation_id}`, kind: 'hit', hit, to, run: onGo });
  });
  return [{ label: 'Results', entries }];
}

/** @param {ReturnType<typeof useSearch>} search */
function useAnnouncedCount({ query, hits, behind, isSuccess, hasNextPage }) {
  const settled = query !== '' && isSuccess && !behind;
  const count = hits.length;
  useEffect(() => {
    if (!settled) return;
    const results = `${count} ${count === 1 ? 'result' : 'results'}`;
    announce(count === 0 ? 'Nothing found' : hasNextPage ? `${results}, and more` : results);
  }, [settled, query, count, hasNextPage]);
}

/** What there is to say where no list says it. @param {{search: ReturnType<typeof useSearch>}} props */
function State({ search }) {
  if (search.isError && !search.behind) {
    const problem = asProblem(search.error);
    // A question that is still being typed is no fault: what it lacks is said calmly.
    if (problem.status === 400) return <p className={styles.state}>{problem.fields.q?.[0] ?? problem.message}</p>;
    return (
      <div className={styles.state}>
        <Notice>
          <p>{problem.message}</p>
        </Notice>
        <Button onClick={() => void search.refetch()}>Retry</Button>
      </div>
    );
  }
  if (search.hits.length > 0) return null;
  if (search.behind || search.isPending) return <p className={styles.state}>Searching…</p>;
  return (
    <p className={styles.state}>
      <strong>Nothing found.</strong> Every word has to be in the same title or message. Try fewer words, or only the
      beginning of one.
    </p>
  );
}
