/** The frame around every page of somebody who is logged in: the list at the left, the page, the live stream. */
import { Suspense, lazy, useEffect, useState } from 'react';
import { Outlet, useLocation, useMatch, useNavigate } from 'react-router';

import { useSession } from '../auth/session.js';
import { Sidebar } from '../features/conversations/Sidebar.jsx';
import { useConversationList } from '../features/conversations/queries.js';
import { preloadMarkdown } from '../markdown/LazyMarkdown.jsx';
import { Sheet } from '../ui/Dialog.jsx';
import styles from './AppLayout.module.css';
import { useLiveStream, useReconnecting } from './live.js';
import { setDrawer, useSidebar } from './sidebarState.js';

const ShortcutsDialog = lazy(() => import('./ShortcutsDialog.jsx'));
const SearchDialog = lazy(() => import('../features/search/SearchDialog.jsx'));

export function AppLayout() {
  const match = useMatch('/c/:id');
  const list = useConversationList('active');
  const { visible, drawerOpen } = useSidebar();
  const [shortcuts, setShortcuts] = useState(false);
  const [searching, setSearching] = useState(false);
  const { pathname } = useLocation();
  const navigate = useNavigate();
  useLiveStream(list.isSuccess, match?.params.id ?? null);

  useEffect(preloadMarkdown, []);
  useEffect(() => setDrawer(false), [pathname]);
  useEffect(() => {
    /** @param {KeyboardEvent} event */
    const onKeyDown = (event) => {
      if (!(event.ctrlKey || event.metaKey)) return;
      if (event.key === '/') {
        event.preventDefault();
        setShortcuts((open) => !open);
      } else if (event.key.toLowerCase() === 'k' && !event.shiftKey && !event.altKey) {
        event.preventDefault();
        // What has to be answered first stays in front: a question, or logging in again.
        const first = document.querySelector('[role="alertdialog"]') || useSession.getState().status !== 'in';
        if (!first) setSearching((open) => !open);
      } else if (event.shiftKey && event.key.toLowerCase() === 'o') {
        event.preventDefault();
        navigate('/');
      }
    };
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, [navigate]);

  const sidebar = <Sidebar onShortcuts={() => setShortcuts(true)} onSearch={() => setSearching(true)} />;
  return (
    <div className={styles.layout}>
      <a className={styles.skip} href="#main" onClick={skipToMain}>
        Skip to the conversation
      </a>
      {visible && <div className={styles.sidebar}>{sidebar}</div>}
      <Sheet open={drawerOpen} onOpenChange={setDrawer} title="Conversations" side="left">
        {sidebar}
      </Sheet>
      <div className={styles.page}>
        <ReconnectingBanner />
        <Outlet />
      </div>
      {searching && (
        <Suspense fallback={null}>
          <SearchDialog onClose={() => setSearching(false)} onShortcuts={() => setShortcuts(true)} />
        </Suspense>
      )}
      {shortcuts && (
        <Suspense fallback={null}>
          <ShortcutsDialog onClose={() => setShortcuts(false)} />
        </Suspense>
      )}
    </div>
  );
}

/** @param {import('react').MouseEvent} event */
function skipToMain(event) {
  event.preventDefault();
  const main = document.getElementById('main');
  const target = main?.querySelector('textarea') ?? main;
  if (target instanceof HTMLElement) {
    if (target === main) target.tabIndex = -1;
    target.focus();
  }
}

function ReconnectingBanner() {
  if (!useReconnecting()) return null;
  return <div className={styles.banner}>Reconnecting… What you write is kept.</div>;
}
