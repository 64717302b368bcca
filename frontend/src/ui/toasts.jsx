/** Short notes at the foot of the page, with at most one action. They stay while the pointer or focus is on them. */
import { useEffect, useState } from 'react';

import { announce } from './announcer.jsx';
import { Button, IconButton } from './Button.jsx';
import { CloseIcon } from './icons.jsx';
import { createStore, useStore } from './store.js';
import styles from './toasts.module.css';

/**
 * @typedef {object} Toast
 * @property {number} id
 * @property {string} text
 * @property {{label: string, run: () => void}} [action]
 */

/** @type {import('./store.js').Store<Toast[]>} */
const toasts = createStore(/** @type {Toast[]} */ ([]));
const SHOWN_MS = 9_000;
let lastId = 0;

/** @param {Omit<Toast, 'id'>} toast */
export function showToast(toast) {
  lastId += 1;
  const id = lastId;
  toasts.set((now) => [...now.slice(-2), { ...toast, id }]);
  announce(toast.text);
}

/** @param {number} id */
function dismiss(id) {
  toasts.set((now) => now.filter((toast) => toast.id !== id));
}

/** @param {{toast: Toast}} props */
function ToastView({ toast }) {
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (held) return undefined;
    const timer = setTimeout(() => dismiss(toast.id), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [held, toast.id]);
  return (
    <div
      className={styles.toast}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <span className={styles.text}>{toast.text}</span>
      {toast.action && (
        <Button
          kind="quiet"
          onClick={() => {
            dismiss(toast.id);
            toast.action?.run();
          }}
        >
          {toast.action.label}
        </Button>
      )}
      <IconButton label="Dismiss" onClick={() => dismiss(toast.id)}>
        <CloseIcon />
      </IconButton>
    </div>
  );
}

export function Toasts() {
  const shown = useStore(toasts);
  return (
    <div className={styles.stack}>
      {shown.map((toast) => (
        <ToastView key={toast.id} toast={toast} />
      ))}
    </div>
  );
}
