/** What tests of messages share: the props that the list gives to each, and the cache they read models from. */
import { QueryClientProvider } from '@tanstack/react-query';
import { render } from '@testing-library/react';
import { vi } from 'vitest';

import { queryClient } from '../../app/queryClient.js';

/** @returns {import('../branches/useMessageActions.js').MessageActions} */
function someActions() {
  return {
    regenerate: vi.fn(),
    askWhatDiffers: vi.fn(),
    goOn: vi.fn(),
    sendEdit: vi.fn(),
    switchTo: vi.fn(),
    selectShown: vi.fn(),
    fork: vi.fn(),
    hide: vi.fn(),
    hideShown: vi.fn(),
    showShown: vi.fn(),
    copyMessageLink: vi.fn(),
    copyBranchLink: vi.fn(),
  };
}

/** @returns {import('./Message.jsx').Placed} */
export function placed() {
  return { busy: false, linked: false, setSize: 2, position: 2, actions: someActions(), onSwitch: vi.fn() };
}

/** @param {import('react').ReactNode} element */
export function showIn(element) {
  /** @param {import('react').ReactNode} inner */
  const wrapped = (inner) => <QueryClientProvider client={queryClient}>{inner}</QueryClientProvider>;
  const { rerender } = render(wrapped(element));
  return { become: (/** @type {import('react').ReactNode} */ now) => rerender(wrapped(now)) };
}
