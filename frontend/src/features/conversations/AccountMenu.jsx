/** Who is logged in, and the way to the settings, to the ledger of model calls, and out. */
import { useNavigate } from 'react-router';

import { useLogOut } from '../../auth/useLogOut.js';
import { useSession } from '../../auth/session.js';
import { ChevronIcon, KeyboardIcon, LedgerIcon, LogOutIcon, SettingsIcon } from '../../ui/icons.jsx';
import { MenuContent, MenuItem, MenuLine, MenuRoot, MenuTrigger } from '../../ui/Menu.jsx';
import styles from './AccountMenu.module.css';

/** @param {{onShortcuts: () => void}} props */
export function AccountMenu({ onShortcuts }) {
  const user = useSession((session) => session.user);
  const navigate = useNavigate();
  const logOut = useLogOut();
  const name = user?.display_name || user?.email || '';
  return (
    <MenuRoot>
      <MenuTrigger asChild>
        <button type="button" className={styles.trigger}>
          <span className={styles.initial} data-initial={name.slice(0, 1).toUpperCase()} />
          <span className="visually-hidden">Account: </span>
          <span className={styles.name}>{name}</span>
          <ChevronIcon />
        </button>
      </MenuTrigger>
      <MenuContent align="start" side="top">
        <MenuItem onSelect={() => navigate('/settings')}>
          <SettingsIcon />
          Settings
        </MenuItem>
        <MenuItem onSelect={() => navigate('/audit/calls')}>
          <LedgerIcon />
          Model calls
        </MenuItem>
        <MenuItem onSelect={() => setTimeout(onShortcuts)}>
          <KeyboardIcon />
          Keyboard shortcuts
        </MenuItem>
        <MenuLine />
        <MenuItem onSelect={() => void logOut()}>
          <LogOutIcon />
          Log out
        </MenuItem>
      </MenuContent>
    </MenuRoot>
  );
}
