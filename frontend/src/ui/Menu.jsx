/** Menus in the product's look. */
import { DropdownMenu } from 'radix-ui';

import { NextIcon } from './icons.jsx';
import styles from './Menu.module.css';
import { useMedia } from './useMedia.js';

/**
 * Not modal: the page behind stays readable for everybody, also for screen readers.
 * @param {import('react').ComponentProps<typeof DropdownMenu.Root>} props
 */
export function MenuRoot(props) {
  return <DropdownMenu.Root modal={false} {...props} />;
}

export const MenuTrigger = DropdownMenu.Trigger;
export const MenuRadioGroup = DropdownMenu.RadioGroup;

/** The heading of a group. @param {import('react').ComponentProps<typeof DropdownMenu.Label>} props */
export function MenuLabel({ className = '', ...rest }) {
  return <DropdownMenu.Label className={`${styles.label} ${className}`} {...rest} />;
}

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

/**
 * A menu in the menu. Beside it there is no room on a narrow screen: there its items are listed in the menu itself.
 * @param {{label: string, children: import('react').ReactNode}} props
 */
export function MenuSub({ label, children }) {
  const narrow = useMedia('(max-width: 36rem)');
  if (narrow) {
    return (
      <DropdownMenu.Group className={styles.group}>
        <DropdownMenu.Label className={styles.label}>{label}</DropdownMenu.Label>
        {children}
      </DropdownMenu.Group>
    );
  }
  return (
    <DropdownMenu.Sub>
      <DropdownMenu.SubTrigger className={`${styles.item} ${styles.sub}`}>
        {label}
        <NextIcon />
      </DropdownMenu.SubTrigger>
      <DropdownMenu.Portal>
        <DropdownMenu.SubContent className={styles.menu} sideOffset={2} collisionPadding={12} loop>
          {children}
        </DropdownMenu.SubContent>
      </DropdownMenu.Portal>
    </DropdownMenu.Sub>
  );
}

export function MenuLine() {
  return <DropdownMenu.Separator className={styles.line} />;
}
