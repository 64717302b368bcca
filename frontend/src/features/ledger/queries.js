/** What the ledger page reads. Calls go on while it is looked at, so it is read anew whenever it is opened. */
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import { fetchLedger } from '../../api/audit.js';

/** @typedef {import('../../api/audit.js').LedgerRow} LedgerRow */
/** @typedef {import('./filters.js').Filters} Filters */

const KEPT_MS = 5 * 60_000;

/** @param {Filters} filters */
export function useLedger(filters) {
  const ledger = useInfiniteQuery({
    queryKey: ['ledger', filters],
    initialPageParam: /** @type {string|null} */ (null),
    queryFn: ({ pageParam, signal }) => fetchLedger(filters, { next: pageParam, signal }),
    getNextPageParam: (page) => page.next,
    // The table stays until there is another one to put in its place.
    placeholderData: keepPreviousData,
    staleTime: 0,
    gcTime: KEPT_MS,
  });
  const rows = useMemo(() => withoutRepeats(ledger.data?.pages.flatMap((page) => page.results) ?? []), [ledger.data]);
  return { ...ledger, rows };
}

/** Pages that were asked for at different moments may overlap. @param {LedgerRow[]} rows */
function withoutRepeats(rows) {
  return [...new Map(rows.map((row) => [row.id, row])).values()];
}
