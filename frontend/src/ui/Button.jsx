/** Buttons: with words, and with an icon only (which then needs a name). */
import styles from './Button.module.css';

/**
 * @param {import('react').ComponentProps<'button'> & {kind?: 'primary'|'plain'|'quiet'|'danger'}} props
 */
export function Button({ kind = 'plain', className = '', type = 'button', ...rest }) {
  return <button type={type} className={`${styles.button} ${styles[kind]} ${className}`} {...rest} />;
}

/**
 * @param {import('react').ComponentProps<'button'> & {label: string, small?: boolean}} props
 */
export function IconButton({ label, small = false, className = '', type = 'button', ...rest }) {
  return (
    <button
      type={type}
      aria-label={label}
      title={label}
      className={`${styles.icon} ${small ? styles.small : ''} ${className}`}
      {...rest}
    />
  );
}
