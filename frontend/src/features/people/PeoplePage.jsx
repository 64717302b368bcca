/**
 * The people of this installation, for its administrators: who may come in, who may read the ledger, who may decide
 * that. What the server refuses is said at the person it is about.
 */
import { useDeferredValue, useEffect, useState } from 'react';
import { Link, useSearchParams } from 'react-router';

import { asProblem } from '../../api/problems.js';
import { NotFoundPage } from '../../app/NotFoundPage.jsx';
import { ScrollingPage } from '../../app/ScrollingPage.jsx';
import { useSession } from '../../auth/session.js';
import { announce } from '../../ui/announcer.jsx';
import { Button } from '../../ui/Button.jsx';
import { Field, Notice } from '../../ui/Field.jsx';
import { MoreButton } from '../../ui/MoreButton.jsx';
import styles from './PeoplePage.module.css';
import { PersonRow } from './PersonRow.jsx';
import { usePeople } from './queries.js';

const REST_MS = 200;

export default function PeoplePage() {
  const mayDecide = useSession((session) => Boolean(session.user?.is_staff));
  if (!mayDecide) return <NotFoundPage />;
  return (
    <ScrollingPage documentTitle="People" className={styles.column}>
      <Link className={styles.back} to="/settings">
        Settings
      </Link>
      <h1>People</h1>
      <p className={styles.about}>
        Auditors see everybody’s model calls; when they read what was said in one, its owner sees that. Administrators
        may do that too, and decide here who may do what. Whoever is deactivated is logged out at once; what they wrote
        stays.
      </p>
      <People />
    </ScrollingPage>
  );
}

function People() {
  const [search, setSearch] = useSearchParams();
  const wanted = search.get('search')?.trim() ?? '';
  const [text, setText] = useState(wanted);
  const typed = useDeferredValue(text.trim());
  const people = usePeople(wanted);
  const { rows, hasNextPage, isPlaceholderData } = people;

  useEffect(() => {
    if (typed === wanted) return undefined;
    const timer = setTimeout(() => setSearch(typed ? { search: typed } : {}, { replace: true }), REST_MS);
    return () => clearTimeout(timer);
  }, [typed, wanted, setSearch]);

  const settled = people.isSuccess && !isPlaceholderData;
  useEffect(() => {
    if (settled && wanted) announce(`${rows.length}${hasNextPage ? ' or more' : ''} found`);
  }, [settled, wanted, rows.length, hasNextPage]);

  return (
    <>
      <Field label="Find by name or email" type="search" autoComplete="off" value={text} onChange={(event) => setText(event.target.value)} />
      {people.isError && (
        <div className={styles.trouble}>
          <Notice>
            <p>{asProblem(people.error).message}</p>
          </Notice>
          <Button onClick={() => void people.refetch()}>Retry</Button>
        </div>
      )}
      {people.isPending && !people.isError && <p className={styles.about}>Reading the list…</p>}
      {people.isSuccess && rows.length === 0 && <p className={styles.about}>Nobody here has that in their name or email.</p>}
      {rows.length > 0 && (
        <ul className={styles.list} aria-label="People" aria-busy={isPlaceholderData}>
          {rows.map((person) => (
            <PersonRow key={person.id} person={person} />
          ))}
        </ul>
      )}
      {!isPlaceholderData && <MoreButton query={people} label="Show more people" entries="ul > li" />}
    </>
  );
}
