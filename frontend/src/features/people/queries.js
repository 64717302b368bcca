/** What the administrators' page reads and does about people. */
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';

import * as api from '../../api/people.js';
import { queryClient } from '../../app/queryClient.js';

/** @typedef {import('../../api/people.js').Person} Person */
/** @typedef {import('../../api/people.js').PersonChange} PersonChange */
/** @typedef {import('@tanstack/react-query').InfiniteData<import('../../api/people.js').Page<Person>>} PeoplePages */

const PEOPLE = ['people'];

/** @param {string} search */
export function usePeople(search) {
  const people = useInfiniteQuery({
    queryKey: [...PEOPLE, search],
    initialPageParam: /** @type {string|null} */ (null),
    queryFn: ({ pageParam, signal }) => api.fetchPeople(search, { next: pageParam, signal }),
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    staleTime: 0,
  });
  return { ...people, rows: people.data?.pages.flatMap((page) => page.results) ?? [] };
}

/**
 * @param {Person} person
 * @param {PersonChange} change
 */
export async function changePerson(person, change) {
  return keep({ ...person, ...(await api.changePerson(person.id, change)) });
}

/** @param {Person} person */
export async function removeSecondFactor(person) {
  return keep({ ...person, ...(await api.removeSecondFactor(person.id)) });
}

/** @param {Person} saved */
async function keep(saved) {
  await queryClient.cancelQueries({ queryKey: PEOPLE });
  queryClient.setQueriesData({ queryKey: PEOPLE }, (/** @type {PeoplePages|undefined} */ pages) => pages && withPerson(pages, saved));
  return saved;
}

/**
 * @param {PeoplePages} data
 * @param {Person} saved
 */
function withPerson(data, saved) {
  const pages = data.pages.map((page) => ({ ...page, results: page.results.map((row) => (row.id === saved.id ? saved : row)) }));
  return { ...data, pages };
}
