/** Where a fork comes from: which conversation it continues, and at which message. */
import { Link } from 'react-router';

import { Seal } from '../../ui/Marks.jsx';
import styles from './OriginLine.module.css';

/** @typedef {import('../../api/types.js').ForkOrigin} ForkOrigin */

/** @param {{origin: ForkOrigin}} props */
export function OriginLine({ origin }) {
  // Only the detail of a conversation says what the source is named; until it is here the line is empty.
  const known = origin.title !== undefined;
  const name = origin.title || 'New conversation';
  const place = origin.message_number ? `at message ${origin.message_number}` : '';
  return (
    <p className={styles.origin}>
      {known && (
        <>
          <Seal state="whole" />
          {origin.deleted ? (
            <span>
              Continues “{name}”, which was deleted, {place}
            </span>
          ) : (
            <span>
              Continues{' '}
              <Link to={`/c/${origin.conversation_id}?message=${origin.message_id}`}>
                {name}
                {place && ` ${place}`}
              </Link>
            </span>
          )}
        </>
      )}
    </p>
  );
}
