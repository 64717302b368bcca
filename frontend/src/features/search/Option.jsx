/** One line of what can be chosen in the search: a hit, a conversation, an action. */
import { Link } from 'react-router';

import { KeyIcon, NewChatIcon, LedgerIcon, SettingsIcon, KeyboardIcon } from '../../ui/icons.jsx';
import { modelName, useModels } from '../composer/models.js';
import { piecesOf } from './marks.js';
import styles from './Option.module.css';

/** @typedef {import('../../api/search.js').SearchHit} SearchHit */
/**
 * @typedef {{key: string, kind: 'hit', hit: SearchHit, to: string, run: () => void}
 *   | {key: string, kind: 'place', label: string, to: string, run: () => void}
 *   | {key: string, kind: 'action', label: string, run: () => void}} Entry run: what choosing does, beside going there
 */

/** @type {Record<string, import('react').ComponentType>} */
const ICONS = { new: NewChatIcon, calls: LedgerIcon, tokens: KeyIcon, settings: SettingsIcon, shortcuts: KeyboardIcon };

/** @param {{id: string, entry: Entry, active: boolean, onActive: () => void}} props */
export function Option({ id, entry, active, onActive }) {
  const common = {
    id,
    role: 'option',
    'aria-selected': active,
    // The text field keeps the focus, and tells which option is the active one.
    tabIndex: -1,
    className: styles.option,
    onPointerMove: active ? undefined : onActive,
  };
  if (entry.kind === 'action') {
    const Icon = ICONS[entry.key];
    return (
      // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-static-element-interactions -- the field hears the keys
      <div {...common} onClick={entry.run}>
        {Icon && <Icon />}
        <span className={styles.label}>{entry.label}</span>
      </div>
    );
  }
  // A link as well: it can be opened in another tab.
  return (
    <Link
      {...common}
      to={entry.to}
      onClick={(event) => {
        if (!event.metaKey && !event.ctrlKey && !event.shiftKey) entry.run();
      }}
    >
      {entry.kind === 'place' ? <span className={styles.label}>{entry.label}</span> : <Hit hit={entry.hit} />}
    </Link>
  );
}

/** @param {{hit: SearchHit}} props */
function Hit({ hit }) {
  const models = useModels();
  const title = hit.conversation.title || 'New conversation';
  const who = hit.message === null ? 'Title' : hit.message.role === 'user' ? 'You' : modelName(models.data, hit.message.model);
  return (
    <span className={styles.hit}>
      <span className={styles.from}>
        <span className={styles.title}>{hit.message === null ? 'Conversation' : title}</span>
        <span className={styles.who}>
          {hit.message !== null && `${who} · `}
          <time dateTime={hit.at}>{dayOf(hit.at)}</time>
        </span>
      </span>
      <span className={hit.message === null ? styles.foundTitle : styles.excerpt}>
        {piecesOf(hit.excerpt).map((piece, index) =>
          piece.marked ? <mark key={index}>{piece.text}</mark> : <span key={index}>{piece.text}</span>,
        )}
      </span>
    </span>
  );
}

/** @param {string} at RFC 3339 */
function dayOf(at) {
  const day = new Date(at);
  const thisYear = day.getFullYear() === new Date().getFullYear();
  return day.toLocaleDateString([], { day: 'numeric', month: 'short', year: thisYear ? undefined : 'numeric' });
}
