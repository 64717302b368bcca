/** Which page is shown at which address, and what a person sees before it is known who they are. */
import { Suspense, lazy, useEffect, useState } from 'react';
import { Navigate, Outlet, Route, Routes, useLocation } from 'react-router';

import { forgetPositions } from '../api/positions.js';
import { asProblem } from '../api/problems.js';
import { listenToOtherWindows } from '../auth/otherWindows.js';
import { loadSession, useSession } from '../auth/session.js';
import { forgetEdits } from '../features/branches/edits.js';
import { ConversationPage } from '../features/transcript/ConversationPage.jsx';
import { liveText } from '../features/transcript/liveText.js';
import { Announcer } from '../ui/announcer.jsx';
import { Button } from '../ui/Button.jsx';
import { Toasts } from '../ui/toasts.jsx';
import styles from './App.module.css';
import { AppLayout } from './AppLayout.jsx';
import { forgetEverything } from './cache.js';
import { NotFoundPage } from './NotFoundPage.jsx';

const AccessPage = lazy(() => import('../features/access/AccessPage.jsx'));
const AuthPage = lazy(() => import('../auth/AuthPage.jsx'));
const NewPasswordPage = lazy(() => import('../auth/NewPasswordPage.jsx'));
const SessionExpiredDialog = lazy(() => import('../auth/SessionExpiredDialog.jsx'));
const ComparePage = lazy(() => import('../features/compare/ComparePage.jsx'));
const ConfirmEmailPage = lazy(() => import('../auth/ConfirmEmailPage.jsx'));
const LostPasswordPage = lazy(() => import('../auth/LostPasswordPage.jsx'));
const CallPage = lazy(() => import('../features/audit/CallPage.jsx'));
const LedgerPage = lazy(() => import('../features/ledger/LedgerPage.jsx'));
const PeoplePage = lazy(() => import('../features/people/PeoplePage.jsx'));
const HistoryPage = lazy(() => import('../features/time/HistoryPage.jsx'));
const SettingsPage = lazy(() => import('../features/settings/SettingsPage.jsx'));
const TokensPage = lazy(() => import('../features/tokens/TokensPage.jsx'));

export function App() {
  return (
    <>
      <SessionGate />
      <Toasts />
      <Announcer />
    </>
  );
}

function SessionGate() {
  const status = useSession((session) => session.status);
  const userId = useSession((session) => session.user?.id ?? null);
  const [failure, setFailure] = useState('');
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    loadSession().catch((error) => setFailure(asProblem(error).message));
  }, [attempt]);
  useEffect(listenToOtherWindows, []);
  useEffect(() => {
    // Nothing that one person has loaded may be there for the next one.
    if (userId === null) return undefined;
    return () => {
      forgetEverything();
      forgetPositions();
      liveText.clear();
      forgetEdits();
    };
  }, [userId]);

  if (status === 'unknown') {
    if (!failure) return null;
    return (
      <main className={styles.failure}>
        <h1>Verbatim does not answer</h1>
        <p>{failure}</p>
        <Button
          kind="primary"
          onClick={() => {
            setFailure('');
            setAttempt(attempt + 1);
          }}
        >
          Retry
        </Button>
      </main>
    );
  }
  return (
    <>
      <Routes>
        <Route path="/login" element={<ForVisitors mode="login" />} />
        <Route path="/signup" element={<ForVisitors mode="signup" />} />
        <Route
          path="/account/verify-email/:key"
          element={
            <Suspense fallback={null}>
              <ConfirmEmailPage />
            </Suspense>
          }
        />
        <Route
          path="/account/password/reset"
          element={
            <Suspense fallback={null}>
              <LostPasswordPage />
            </Suspense>
          }
        />
        <Route
          path="/account/password/reset/key/:key"
          element={
            <Suspense fallback={null}>
              <NewPasswordPage />
            </Suspense>
          }
        />
        <Route element={<ForMembers />}>
          <Route element={<AppLayout />}>
            <Route path="/" element={<ConversationPage />} />
            <Route path="/c/:id" element={<ConversationPage />} />
            <Route
              path="/c/:id/compare"
              element={
                <Suspense fallback={null}>
                  <ComparePage />
                </Suspense>
              }
            />
            <Route
              path="/c/:id/at/:version"
              element={
                <Suspense fallback={null}>
                  <HistoryPage />
                </Suspense>
              }
            />
            <Route
              path="/settings"
              element={
                <Suspense fallback={null}>
                  <SettingsPage />
                </Suspense>
              }
            />
            <Route
              path="/settings/log-in"
              element={
                <Suspense fallback={null}>
                  <AccessPage />
                </Suspense>
              }
            />
            <Route
              path="/settings/people"
              element={
                <Suspense fallback={null}>
                  <PeoplePage />
                </Suspense>
              }
            />
            <Route
              path="/settings/tokens"
              element={
                <Suspense fallback={null}>
                  <TokensPage />
                </Suspense>
              }
            />
            <Route
              path="/audit/calls"
              element={
                <Suspense fallback={null}>
                  <LedgerPage />
                </Suspense>
              }
            />
            <Route
              path="/audit/calls/:id"
              element={
                <Suspense fallback={null}>
                  <CallPage />
                </Suspense>
              }
            />
            <Route path="*" element={<NotFoundPage />} />
          </Route>
        </Route>
      </Routes>
      {status === 'expired' && (
        <Suspense fallback={null}>
          <SessionExpiredDialog />
        </Suspense>
      )}
    </>
  );
}

/** @param {{mode: 'login'|'signup'}} props */
function ForVisitors({ mode }) {
  const status = useSession((session) => session.status);
  const location = useLocation();
  if (status === 'in') return <Navigate to={location.state?.from ?? '/'} replace />;
  return (
    <Suspense fallback={null}>
      <AuthPage mode={mode} />
    </Suspense>
  );
}

function ForMembers() {
  const status = useSession((session) => session.status);
  const { pathname, search, hash } = useLocation();
  if (status !== 'out') return <Outlet />;
  const from = `${pathname}${search}${hash}`;
  return <Navigate to="/login" replace state={from === '/' ? null : { from }} />;
}
