/** Who has read this person's words through the audit, on the settings page: every reading, newest first. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from 'react-router';

import { fetchAuditReads } from '../../api/audit.js';
import { asProblem } from '../../api/problems.js';
import { keys } from '../../app/cache.js';
import { Button } from '../../ui/Button.jsx';
import { Notice } from '../../ui/Field.jsx';
import { MoreButton } from '../../ui/MoreButton.jsx';
import styles from './AuditReadsSection.module.css';

/** @typedef {import('../../api/audit.js').AuditReading} AuditReading */

export function AuditReadsSection() {
  const reads = useInfiniteQuery({
    queryKey: keys.auditReads,
    initialPageParam: /** @type {string|null} */ (null),
    queryFn: ({ pageParam, signal }) => fetchAuditReads({ next: pageParam, signal }),
    getNextPageParam: (page) => page.next,
    staleTime: 0,
  });
  const rows = reads.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <>
      <p className={styles.about}>
        Auditors and administrators can see that models were called for you. What was said they can read too, but never
        unseen: each reading is recorded, and listed here.
      </p>
      {reads.isError && (
        <div className={styles.trouble}>
          <Notice>{asProblem(reads.error).message}</Notice>
          <Button onClick={() => void reads.refetch()}>Retry</Button>
        </div>
      )}
      {reads.isSuccess && rows.length === 0 && <p>Nobody has.</p>}
      {rows.length > 0 && (
        <ul className={styles.list} aria-label="Who read my content">
          {rows.map((reading) => (
            <Reading key={reading.id} reading={reading} />
          ))}
        </ul>
      )}
      <MoreButton query={reads} label="Show earlier ones" entries="ul > li" />
    </>
  );
}

/** Name and address, since two people may go by the same name. @param {AuditReading['reader']} reader */
function nameOfReader({ id, email, display_name: name }) {
  if (!email) return name || `Somebody whose account is gone (${id.slice(0, 8)})`;
  return name ? `${name} (${email})` : email;
}

/** @param {{reading: AuditReading}} props */
function Reading({ reading: { reader, at, what, call_id: callId, conversation_id: conversationId } }) {
  return (
    <li>
      <strong>{nameOfReader(reader)}</strong>
      <time dateTime={at}>{new Date(at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })}</time>
      <span className={styles.what}>
        {callId && <Link to={`/audit/calls/${callId}`}>A model call</Link>}
        {callId && conversationId && ' in '}
        {conversationId && <Link to={`/c/${conversationId}`}>{callId ? 'a conversation' : 'A conversation'}</Link>}
        {what === 'export' && (conversationId ? ', taken away as a file' : 'What was said in your model calls, taken away as a file')}
        {what === 'password_link' && 'Made a link with which your password can be set'}
        {what === 'second_factor' && 'Took off your second factor'}
      </span>
    </li>
  );
}
