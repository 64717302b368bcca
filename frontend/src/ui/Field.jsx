/** A labelled input with its hint and error tied to it. */
import { useEffect, useId, useRef } from 'react';

import styles from './Field.module.css';

/**
 * @param {import('react').ComponentProps<'input'> & {label: string, hint?: string, errors?: string[]}} props
 */
export function Field({ label, hint, errors = [], ...rest }) {
  const id = useId();
  const describedBy = [hint && `${id}-hint`, errors.length > 0 && `${id}-error`].filter(Boolean).join(' ');
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className={styles.input}
        aria-invalid={errors.length > 0 || undefined}
        aria-describedby={describedBy || undefined}
        {...rest}
      />
      {hint && (
        <p id={`${id}-hint`} className={styles.hint}>
          {hint}
        </p>
      )}
      {errors.length > 0 && (
        <p id={`${id}-error`} className={styles.error}>
          {errors.join(' ')}
        </p>
      )}
    </div>
  );
}

/** @param {{children: import('react').ReactNode, tone?: 'danger'|'calm'}} props */
export function Notice({ children, tone = 'danger' }) {
  return (
    <div className={`${styles.notice} ${styles[tone]}`} role={tone === 'danger' ? 'alert' : undefined}>
      {children}
    </div>
  );
}

/**
 * Puts the focus on the first field that was refused.
 * @param {unknown} problem changes with every answer of the server
 * @returns {import('react').RefObject<HTMLFormElement|null>} for the form
 */
export function useFocusOnError(problem) {
  /** @type {import('react').RefObject<HTMLFormElement|null>} */
  const form = useRef(null);
  useEffect(() => {
    if (!problem) return;
    const field = form.current?.querySelector('[aria-invalid]');
    if (field instanceof HTMLElement) field.focus();
  }, [problem]);
  return form;
}
