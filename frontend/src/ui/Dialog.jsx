/** Dialogs in the product's look. Focus is trapped inside and goes back to where it came from. */
import { AlertDialog, Dialog as RadixDialog } from 'radix-ui';
import { useRef } from 'react';

import { Button, IconButton } from './Button.jsx';
import { CloseIcon } from './icons.jsx';
import styles from './Dialog.module.css';

/**
 * These dialogs are opened by state, not by a trigger of their own: remember who had the focus, and give it back;
 * to the composer where that control is gone by then.
 * @param {import('react').RefObject<HTMLElement|null>} [first] what gets the focus meanwhile
 */
export function useReturnFocus(first = undefined) {
  /** @type {import('react').RefObject<Element|null>} */
  const before = useRef(null);
  return {
    onOpenAutoFocus: (/** @type {Event} */ event) => {
      before.current = document.activeElement;
      if (!first?.current) return;
      event.preventDefault();
      first.current.focus();
    },
    onCloseAutoFocus: (/** @type {Event} */ event) => {
      event.preventDefault();
      const known = before.current;
      const back = known?.isConnected && known !== document.body ? known : document.querySelector('main textarea');
      if (back instanceof HTMLElement) back.focus();
    },
  };
}

/**
 * @param {{
 *   open: boolean,
 *   onOpenChange: (open: boolean) => void,
 *   title: string,
 *   description?: string,
 *   children: import('react').ReactNode,
 *   closable?: boolean,
 *   holdsForm?: boolean,
 *   first?: import('react').RefObject<HTMLElement|null>,
 * }} props holdsForm: a stray click beside it closes nothing, so that what was written is not lost; first: what gets
 *   the focus, where that is not the first control
 */
export function Dialog({ open, onOpenChange, title, description, children, closable = true, holdsForm = false, first }) {
  const focus = useReturnFocus(first);
  return (
    <RadixDialog.Root open={open} onOpenChange={onOpenChange}>
      <RadixDialog.Portal>
        <RadixDialog.Overlay className={styles.veil} />
        <RadixDialog.Content
          className={styles.dialog}
          onInteractOutside={(event) => holdsForm && event.preventDefault()}
          {...focus}
          {...(description ? {} : { 'aria-describedby': undefined })}
        >
          <div className={styles.head}>
            <RadixDialog.Title className={styles.title}>{title}</RadixDialog.Title>
            {closable && (
              <RadixDialog.Close asChild>
                <IconButton label="Close">
                  <CloseIcon />
                </IconButton>
              </RadixDialog.Close>
            )}
          </div>
          {description && (
            <RadixDialog.Description className={styles.description}>{description}</RadixDialog.Description>
          )}
          {children}
        </RadixDialog.Content>
      </RadixDialog.Portal>
    </RadixDialog.Root>
  );
}

/**
 * A question that has to be answered before anything else.
 * @param {{
 *   open: boolean,
 *   onOpenChange: (open: boolean) => void,
 *   title: string,
 *   description: string,
 *   confirmLabel: string,
 *   onConfirm: () => void,
 * }} props
 */
export function ConfirmDialog({ open, onOpenChange, title, description, confirmLabel, onConfirm }) {
  const focus = useReturnFocus();
  return (
    <AlertDialog.Root open={open} onOpenChange={onOpenChange}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className={styles.veil} />
        <AlertDialog.Content className={styles.dialog} {...focus}>
          <div className={styles.head}>
            <AlertDialog.Title className={styles.title}>{title}</AlertDialog.Title>
          </div>
          <AlertDialog.Description className={styles.description}>{description}</AlertDialog.Description>
          <div className={styles.actions}>
            <AlertDialog.Cancel asChild>
              <Button>Cancel</Button>
            </AlertDialog.Cancel>
            <AlertDialog.Action asChild>
              <Button kind="danger" onClick={onConfirm}>
                {confirmLabel}
              </Button>
            </AlertDialog.Action>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

/**
 * A panel at the side: the drawer with the conversations, the inspector on small screens.
 * @param {{
 *   open: boolean,
 *   onOpenChange: (open: boolean) => void,
 *   title: string,
 *   side: 'left'|'right',
 *   children: import('react').ReactNode,
 * }} props
 */
export function Sheet({ open, onOpenChange, title, side, children }) {
  const focus = useReturnFocus();
  return (
    <RadixDialog.Root open={open} onOpenChange={onOpenChange}>
      <RadixDialog.Portal>
        <RadixDialog.Overlay className={styles.veil} />
        <RadixDialog.Content className={`${styles.sheet} ${styles[side]}`} aria-describedby={undefined} {...focus}>
          <RadixDialog.Title className="visually-hidden">{title}</RadixDialog.Title>
          {children}
        </RadixDialog.Content>
      </RadixDialog.Portal>
    </RadixDialog.Root>
  );
}
