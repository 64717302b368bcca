/**
 * The ledger: every call to a model, also those that failed or were stopped, and those of other programs. People see
 * their own; auditors and administrators see everybody's, without what was said.
 */
import { useEffect, useMemo, useRef } from 'react';
import { useNavigationType, useSearchParams } from 'react-router';

import { ledgerExportAddress } from '../../api/audit.js';
import { asProblem } from '../../api/problems.js';
import { ScrollingPage } from '../../app/ScrollingPage.jsx';
import { useSession } from '../../auth/session.js';
import { announce } from '../../ui/announcer.jsx';
import { Button, IconButton } from '../../ui/Button.jsx';
import { Notice } from '../../ui/Field.jsx';
import { DownloadIcon, RetryIcon } from '../../ui/icons.jsx';
import { MenuContent, MenuItem, MenuRoot, MenuTrigger } from '../../ui/Menu.jsx';
import { MoreButton } from '../../ui/MoreButton.jsx';
import { useModels } from '../composer/models.js';
import { useConversationList } from '../conversations/queries.js';
import { Calls } from './Calls.jsx';
import { filtersOf, refusalInWords, searchWith } from './filters.js';
import { LedgerFilters } from './LedgerFilters.jsx';
import styles from './LedgerPage.module.css';
import { lastOpened } from './opened.js';
import { useLedger } from './queries.js';
import { nameOfSomebody, shortId } from './words.js';

/** @typedef {import('../../api/audit.js').LedgerRow} LedgerRow */
/** @typedef {import('../../api/audit.js').LedgerExport} LedgerExport */
/** @typedef {import('./filters.js').Filters} Filters */

export default function LedgerPage() {
  const [search, setSearch] = useSearchParams();
  const filters = useMemo(() => filtersOf(search), [search]);
  const user = useSession((session) => session.user);
  const seesAll = Boolean(user?.is_staff || user?.is_auditor);
  const ledger = useLedger(filters);
  const titles = useTitles();
  const offers = useOffers(ledger.rows, filters, titles);
  useCountAnnounced(ledger);
  const content = useBackWhereOneWas(ledger.rows.length > 0);
  const filtered = Object.keys(filters).length > 0;
  // A refusal would reach nobody: the browser only says that the file could not be had.
  const mayExport = !ledger.isError && (filtered || !ledger.isSuccess || ledger.rows.length > 0);
  const clear = () => setSearch(new URLSearchParams());

  /** @param {LedgerRow} row */
  const placeOf = ({ conversation_id: id }) => (id === null ? 'None' : titles.get(id) || `Conversation ${shortId(id)}`);

  return (
    <ScrollingPage documentTitle="Model calls" className={styles.column} ref={content}>
      <div className={styles.head}>
        <h1>Model calls</h1>
        <IconButton label="Refresh" onClick={() => void ledger.refetch()}>
          <RetryIcon />
        </IconButton>
        {mayExport && <ExportMenu filters={filters} />}
      </div>
      <p className={styles.about}>
        {seesAll
          ? 'Everybody’s calls to models, also those that failed or were stopped. What was said in them is shown only on request, and its owner sees that it was.'
          : 'Every call to a model that was made for you, also those that failed or were stopped.'}
      </p>
      <LedgerFilters
        filters={filters}
        offers={offers}
        withUser={seesAll}
        onChange={(change) => setSearch(searchWith(filters, change))}
        onClear={clear}
      />
      {ledger.isError && <Refused error={ledger.error} onRetry={() => void ledger.refetch()} onClear={filtered ? clear : null} />}
      {ledger.isPending && !ledger.isError && <p className={styles.quiet}>Reading the ledger…</p>}
      {ledger.isSuccess && !ledger.isPlaceholderData && ledger.rows.length === 0 && (
        <div className={styles.empty}>
          <p>{filtered ? 'No call fits these filters.' : 'No model has been called yet. The first message makes the first call.'}</p>
          {filtered && <Button onClick={clear}>Clear all filters</Button>}
        </div>
      )}
      {ledger.rows.length > 0 && (
        <div aria-busy={ledger.isPlaceholderData}>
          <Calls rows={ledger.rows} withUser={seesAll} placeOf={placeOf} />
        </div>
      )}
      {!ledger.isPlaceholderData && (
        <MoreButton query={ledger} label="Show earlier calls" entries="[data-row]" className={styles.more} />
      )}
    </ScrollingPage>
  );
}

/** @param {{error: unknown, onRetry: () => void, onClear: (() => void)|null}} props */
function Refused({ error, onRetry, onClear }) {
  const { message, fields, status } = asProblem(error);
  const refused = refusalInWords(fields);
  return (
    <div className={styles.trouble}>
      <Notice>
        <p>{refused || message}</p>
      </Notice>
      {status === 400 && onClear ? (
        <Button onClick={onClear}>Clear all filters</Button>
      ) : (
        <Button onClick={onRetry}>Retry</Button>
      )}
    </div>
  );
}

/** @type {{format: LedgerExport, label: string}[]} */
const EXPORTS = [
  { format: 'csv', label: 'Figures as CSV' },
  { format: 'jsonl', label: 'Everything as JSON lines' },
  { format: 'bundle', label: 'Signed bundle, to verify elsewhere' },
];

/** They are links: the browser saves what they name. @param {{filters: Filters}} props */
function ExportMenu({ filters }) {
  return (
    <MenuRoot>
      <MenuTrigger asChild>
        <IconButton label="Export these calls">
          <DownloadIcon />
        </IconButton>
      </MenuTrigger>
      <MenuContent align="end">
        {EXPORTS.map(({ format, label }) => (
          <MenuItem key={format} asChild>
            <a className={styles.export} href={ledgerExportAddress(format, filters)} download>
              {label}
            </a>
          </MenuItem>
        ))}
      </MenuContent>
    </MenuRoot>
  );
}

/** What this person's own conversations are called, where this browser knows it. */
function useTitles() {
  const list = useConversationList('active');
  return useMemo(() => new Map((list.data?.rows ?? []).map(({ id, title }) => [id, title || 'New conversation'])), [list.data]);
}

/**
 * What the form offers: what the page knows, and what is chosen already.
 * @param {LedgerRow[]} rows
 * @param {Filters} filters
 * @param {Map<string, string>} titles
 * @returns {Record<string, import('./LedgerFilters.jsx').Offer[]>}
 */
function useOffers(rows, filters, titles) {
  const models = useModels();
  const me = useSession((session) => session.user);
  return useMemo(() => {
    const users = new Map(rows.map(({ owner_id: id, user }) => [id, nameOfSomebody(user, id)]));
    if (me) users.set(me.id, `${me.display_name || me.email} (you)`);
    const conversations = new Map(titles);
    const ids = [...rows.map((row) => row.conversation_id), filters.conversation];
    for (const id of ids) if (id && !conversations.has(id)) conversations.set(id, shortId(id));
    const called = [...new Set([...(models.data?.results ?? []).map(({ id }) => id), ...rows.map(({ model }) => model)])];
    const runners = [...new Set([...(models.data?.runners ?? []).map(({ name }) => name), ...rows.map(({ runner }) => runner ?? '')])];
    return {
      user: [...users].map(([value, label]) => ({ value, label })),
      conversation: [...conversations].map(([value, label]) => ({ value, label })),
      model: called.map((value) => ({ value, label: value })),
      runner: runners.filter(Boolean).map((value) => ({ value, label: value })),
    };
  }, [rows, filters.conversation, titles, models.data, me]);
}

/** @param {ReturnType<typeof useLedger>} ledger */
function useCountAnnounced({ rows, isSuccess, isPlaceholderData, hasNextPage }) {
  const settled = isSuccess && !isPlaceholderData;
  const count = rows.length;
  useEffect(() => {
    if (!settled) return;
    const calls = `${count} ${count === 1 ? 'call' : 'calls'}`;
    announce(count === 0 ? 'No calls' : hasNextPage ? `${calls}, and more` : calls);
  }, [settled, count, hasNextPage]);
}

/**
 * Who comes back with the browser's own button finds the line again that they had opened, with the focus on it.
 * @param {boolean} ready
 */
function useBackWhereOneWas(ready) {
  const back = useNavigationType() === 'POP';
  /** @type {import('react').RefObject<HTMLDivElement|null>} */
  const content = useRef(null);
  const done = useRef(false);
  useEffect(() => {
    if (!ready || done.current) return;
    done.current = true;
    const link = content.current?.querySelector(`[data-row="${CSS.escape(lastOpened() ?? '')}"]`);
    if (!back || !(link instanceof HTMLElement)) return;
    link.scrollIntoView({ block: 'center' });
    link.focus({ preventScroll: true });
  }, [ready, back]);
  return content;
}
