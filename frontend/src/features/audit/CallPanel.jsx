/** Everything that is known of one model call, beside the conversation. */
import { Link } from 'react-router';

import styles from './CallContent.module.css';
import { CallContent, Failure } from './CallContent.jsx';
import { CallFacts } from './CallFacts.jsx';
import { useCall } from './queries.js';

/** @param {{callId: string}} props */
export default function CallPanel({ callId }) {
  const call = useCall(callId);
  const facts = (
    <>
      {call.isPending && <p className={styles.quiet}>Reading the call…</p>}
      {call.isError && <Failure query={call} />}
      {call.data && <CallFacts call={call.data} readAt={call.dataUpdatedAt} />}
    </>
  );
  return (
    <CallContent callId={callId} call={call.data} parts={[{ value: 'call', label: 'Call', content: facts }]}>
      <Link className={styles.whole} to={`/audit/calls/${callId}`}>
        Open as a page
      </Link>
    </CallContent>
  );
}
