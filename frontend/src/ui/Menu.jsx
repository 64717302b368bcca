/** Menus in the product's look. */
import { DropdownMenu } from 'radix-ui';

import styles from './Menu.module.css';

/**
 * Not modal: the page behind stays readable for everybody, also for screen readers.
 * @param {import('react').ComponentProps<typeof DropdownMenu.Root>} props
 */
export function MenuRoot(props) {
  return <DropdownMenu.Root modal={false} {...props} />;
}

export const MenuTrigger = DropdownMenu.Trigger;
export const MenuRadioGroup = DropdownMenu.RadioGroup;

/** @param {import('react').ComponentProps<typeof DropdownMenu.Content>} props */
export function MenuContent({ className = '', ...rest }) {
  return (
    <DropdownMenu.Portal>
      <DropdownMenu.Content
        className={`${styles.menu} ${className}`}
        sideOffset={6}
        collisionPadding={12}
        loop
        {...rest}
      />
    </DropdownMenu.Portal>
  );
}

/** @param {import('react').ComponentProps<typeof DropdownMenu.Item> & {danger?: boolean}} props */
export function MenuItem({ danger = false, ...rest }) {
  return <DropdownMenu.Item className={`${styles.item} ${danger ? styles.danger : ''}`} {...rest} />;
}

/** @param {import('react').ComponentProps<typeof DropdownMenu.RadioItem>} props */
export function MenuRadioItem(props) {
  return <DropdownMenu.RadioItem className={`${styles.item} ${styles.radio}`} {...props} />;
}

export const MenuChosen = DropdownMenu.ItemIndicator;

export function MenuLine() {
  return <DropdownMenu.Separator className={styles.line} />;
}
