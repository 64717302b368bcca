/** One quiet line above the composer while the branch on screen is not the one that a person would find here anyway. */
import { Button } from '../../ui/Button.jsx';
import styles from './BranchBar.module.css';

/** @typedef {import('./useBranchView.js').BranchView} BranchView */
/** @typedef {import('./useMessageActions.js').MessageActions} MessageActions */

/**
 * @param {{
 *   view: BranchView,
 *   selectedLeafId: string|null,
 *   stayed: boolean,
 *   busy: boolean,
 *   actions: MessageActions,
 *   onDone: () => void,
 * }} props stayed: the other branch was selected in another window; onDone: the button that was pressed is gone: the focus goes elsewhere
 */
export function BranchBar({ view, selectedLeafId, stayed, busy, actions, onDone }) {
  const hidden = view.transcript.data?.rows.at(-1)?.hidden ?? false;
  const other = view.leafId !== null && view.leafId !== selectedLeafId;
  if (!hidden && !other && !view.missing) return null;
  return (
    <div className={styles.bar} role="group" aria-label="The branch on screen">
      <p>{words({ missing: view.missing, other, hidden, stayed })}</p>
      <div className={styles.actions}>
        {hidden && (
          <Button kind="quiet" disabled={busy} onClick={() => void actions.showShown().then(onDone)}>
            Show this branch again
          </Button>
        )}
        {other && (
          <Button kind="quiet" disabled={busy} onClick={() => void actions.selectShown().then(onDone)}>
            Make this the selected branch
          </Button>
        )}
        {(other || view.missing) && (
          <Button
            kind="quiet"
            onClick={() => {
              view.showSelected();
              onDone();
            }}
          >
            {!other ? 'All right' : stayed ? 'Go to the selected branch' : 'Back to the selected branch'}
          </Button>
        )}
      </div>
    </div>
  );
}

/** @param {{missing: boolean, other: boolean, hidden: boolean, stayed: boolean}} what */
function words({ missing, other, hidden, stayed }) {
  if (missing) return 'The message that this address names is not in this conversation. This is the selected branch.';
  if (other && hidden) return 'You are looking at a hidden branch, which is not the selected one.';
  if (other && stayed) return 'Another branch was selected in another window. This one stays here.';
  if (other) return 'You are looking at a branch that is not the selected one.';
  return 'This branch is hidden. Nothing of it is deleted.';
}
