/** A labelled input with its hint and error tied to it. */
import { useEffect, useId, useRef } from 'react';

import styles from './Field.module.css';

/**
 * @typedef {object} ControlProps what ties a control to its label, hint and error
 * @property {string} id
 * @property {string} className
 * @property {boolean|undefined} aria-invalid
 * @property {string|undefined} aria-describedby
 */

/**
 * Around any control that a person fills in.
 * @param {{
 *   label: string,
 *   hint?: string,
 *   errors?: string[],
 *   children: (control: ControlProps) => import('react').ReactNode,
 * }} props
 */
export function Labelled({ label, hint, errors = [], children }) {
  const id = useId();
  const describedBy = [hint && `${id}-hint`, errors.length > 0 && `${id}-error`].filter(Boolean).join(' ');
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        className: styles.input ?? '',
        'aria-invalid': errors.length > 0 || undefined,
        'aria-describedby': describedBy || undefined,
      })}
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

/**
 * @param {import('react').ComponentProps<'input'> & {label: string, hint?: string, errors?: string[]}} props
 */
export function Field({ label, hint, errors, ...rest }) {
  return (
    <Labelled label={label} hint={hint} errors={errors}>
      {(control) => <input {...control} {...rest} />}
    </Labelled>
  );
}

/**
 * @param {import('react').ComponentProps<'textarea'> & {label: string, hint?: string, errors?: string[]}} props
 */
export function AreaField({ label, hint, errors, ...rest }) {
  return (
    <Labelled label={label} hint={hint} errors={errors}>
      {(control) => <textarea {...control} {...rest} />}
    </Labelled>
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
