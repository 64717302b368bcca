/** Logging out: the session ends at the server first, then everything this tab has cached goes. */
import { useCallback } from 'react';
import { useNavigate } from 'react-router';

import { logOut } from '../api/account.js';
import { asProblem } from '../api/problems.js';
import { showToast } from '../ui/toasts.jsx';
import { tellOtherWindows } from './otherWindows.js';
import { setUser } from './session.js';

/** @returns {() => Promise<void>} */
export function useLogOut() {
  const navigate = useNavigate();
  return useCallback(async () => {
    try {
      await logOut();
    } catch (error) {
      showToast({ text: `You are still logged in. ${asProblem(error).message}` });
      return;
    }
    tellOtherWindows('out');
    setUser(null);
    navigate('/login');
  }, [navigate]);
}
