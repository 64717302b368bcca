/**
 * What the page of API tokens reads and does. Nothing tells of tokens on the live stream, so the page asks again. The
 * token itself stays out of the cache: only the component that shows it holds it.
 */
import { useQuery } from '@tanstack/react-query';

import * as api from '../../api/tokens.js';
import { queryClient } from '../../app/queryClient.js';

/** @typedef {import('../../api/tokens.js').ApiToken} ApiToken */

const TOKENS = ['tokens'];

export function useTokens() {
  return useQuery({
    queryKey: TOKENS,
    queryFn: ({ signal }) => api.fetchTokens(signal),
    staleTime: 0,
    // Another window may have made or revoked one, and a program may have used one.
    refetchOnWindowFocus: 'always',
  });
}

/** @param {(tokens: ApiToken[]) => ApiToken[]} change the list as it is now known to be, without asking for it */
async function rewrite(change) {
  // A list that was asked for before must not arrive after this.
  await queryClient.cancelQueries({ queryKey: TOKENS });
  queryClient.setQueryData(TOKENS, (/** @type {ApiToken[]|undefined} */ tokens) => tokens && change(tokens));
}

/** @param {string} name */
export async function makeToken(name) {
  const made = await api.makeToken(name);
  const listed = { id: made.id, name: made.name, created: made.created, last_used: made.last_used };
  await rewrite((tokens) => [listed, ...tokens.filter(({ id }) => id !== listed.id)]);
  return { ...listed, token: made.token };
}

/** @param {ApiToken} token */
export async function revokeToken(token) {
  await api.revokeToken(token.id);
  await rewrite((tokens) => tokens.filter(({ id }) => id !== token.id));
}

/** Ask again: what was asked for got no answer, and may have been done all the same. */
export const refetchTokens = () => queryClient.invalidateQueries({ queryKey: TOKENS });
