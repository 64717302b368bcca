/**
 * The panel at the right of a page, for what is asked for beside the conversation: its width can be changed by pointer
 * and by keyboard; on small screens it is a sheet. It may not know what it shows.
 */
import { useEffect, useRef, useState } from 'react';

import { IconButton } from './Button.jsx';
import { Sheet } from './Dialog.jsx';
import { CloseIcon } from './icons.jsx';
import styles from './SidePanel.module.css';
import { useMedia } from './useMedia.js';

const NARROWEST_REM = 18;
const WIDEST_REM = 44;
const STEP_REM = 2;

/** @param {{title: string, onClose: () => void, children: import('react').ReactNode}} props */
export function SidePanel({ title, onClose, children }) {
  const beside = useMedia('(min-width: 64rem)');
  const [width, setWidth] = useState(24);
  useFocusBackAtTheEnd();
  const panel = (
    <div className={styles.panel}>
      <div className={styles.head}>
        <h2>{title}</h2>
        <IconButton label="Close" onClick={onClose}>
          <CloseIcon />
        </IconButton>
      </div>
      {children}
    </div>
  );
  if (!beside) {
    return (
      <Sheet open title={title} side="right" onOpenChange={(open) => !open && onClose()}>
        {panel}
      </Sheet>
    );
  }
  return (
    <aside className={styles.aside} style={{ width: `${width}rem` }} aria-label={title}>
      <Resizer width={width} onWidth={setWidth} />
      {panel}
    </aside>
  );
}

/** When the panel goes, focus goes back to what opened it, unless it has moved elsewhere meanwhile. */
function useFocusBackAtTheEnd() {
  useEffect(() => {
    const opener = document.activeElement;
    return () => {
      const lost = document.activeElement === null || document.activeElement === document.body;
      if (lost && opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
}

/** @param {{width: number, onWidth: (rem: number) => void}} props */
function Resizer({ width, onWidth }) {
  const start = useRef({ x: 0, width });
  const limit = (/** @type {number} */ rem) => Math.min(WIDEST_REM, Math.max(NARROWEST_REM, rem));
  return (
    /* eslint-disable jsx-a11y/no-noninteractive-element-interactions, jsx-a11y/no-noninteractive-tabindex --
       a separator that can be focused is a control: it sets the panel's width */
    <div
      className={styles.resizer}
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the panel"
      aria-valuemin={NARROWEST_REM}
      aria-valuemax={WIDEST_REM}
      aria-valuenow={width}
      tabIndex={0}
      onKeyDown={(event) => {
        if (event.key === 'ArrowLeft') onWidth(limit(width + STEP_REM));
        else if (event.key === 'ArrowRight') onWidth(limit(width - STEP_REM));
        else return;
        event.preventDefault();
      }}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        start.current = { x: event.clientX, width };
      }}
      onPointerMove={(event) => {
        if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
        onWidth(limit(Math.round(start.current.width + (start.current.x - event.clientX) / 16)));
      }}
    />
    /* eslint-enable jsx-a11y/no-noninteractive-element-interactions, jsx-a11y/no-noninteractive-tabindex */
  );
}
