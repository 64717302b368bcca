/** The list of keyboard shortcuts. None is a single letter, so none gets in the way of dictation. */
import { Dialog } from '../ui/Dialog.jsx';
import { MOD } from '../ui/keyNames.js';
import styles from './ShortcutsDialog.module.css';

const SHORTCUTS = [
  { does: 'Send the message', keys: ['Enter'] },
  { does: 'New line', keys: ['Shift', 'Enter'] },
  { does: 'Stop the reply', keys: ['Esc'] },
  { does: 'Search, and go to a conversation', keys: [MOD, 'K'] },
  { does: 'New chat', keys: [MOD, 'Shift', 'O'] },
  { does: 'Show these shortcuts', keys: [MOD, '/'] },
];

/** @param {{onClose: () => void}} props */
export default function ShortcutsDialog({ onClose }) {
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title="Keyboard shortcuts">
      <dl className={styles.list}>
        {SHORTCUTS.map(({ does, keys }) => (
          <div key={does}>
            <dt>{does}</dt>
            <dd>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
