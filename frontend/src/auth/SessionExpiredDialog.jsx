/** When the session ends in the middle of work: log in again over the page, which stays as it is. */
import { useNavigate } from 'react-router';

import { forgetEverything } from '../app/cache.js';
import { queryClient } from '../app/queryClient.js';
import { Button } from '../ui/Button.jsx';
import { Dialog } from '../ui/Dialog.jsx';
import { AccountForm } from './AccountForm.jsx';
import { ServiceLogIn } from './ServiceLogIn.jsx';
import { setUser, useSession } from './session.js';

export default function SessionExpiredDialog() {
  const user = useSession((session) => session.user);
  const navigate = useNavigate();
  return (
    <Dialog
      open
      onOpenChange={() => undefined}
      closable={false}
      title="You have been logged out"
      description="Log in again to go on. What you have written is still here."
    >
      <AccountForm
        mode="login"
        email={user?.email}
        onDone={(next) => {
          const same = next.id === user?.id;
          if (!same) forgetEverything();
          setUser(next);
          if (same) void queryClient.invalidateQueries();
          else navigate('/');
        }}
      />
      <ServiceLogIn />
      <Button
        kind="quiet"
        onClick={() => {
          setUser(null);
          navigate('/login');
        }}
      >
        Use another account
      </Button>
    </Dialog>
  );
}
