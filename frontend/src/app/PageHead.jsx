/** The head of every page: the button for the list, the page's heading, and the title of the browser tab. */
import { useEffect } from 'react';

import { IconButton } from '../ui/Button.jsx';
import { SidebarIcon } from '../ui/icons.jsx';
import styles from './PageHead.module.css';
import { toggleSidebar, useSidebar } from './sidebarState.js';

/**
 * @param {{
 *   title: string,
 *   documentTitle?: string,
 *   tools?: import('react').ReactNode,
 * }} props title: empty for no visible heading; tools: what stands at the right
 */
export function PageHead({ title, documentTitle = title, tools }) {
  const { visible } = useSidebar();
  useEffect(() => {
    document.title = documentTitle ? `${documentTitle} · Verbatim` : 'Verbatim';
  }, [documentTitle]);
  return (
    <header className={styles.head}>
      {!visible && (
        <IconButton label="Show conversations" aria-expanded={false} onClick={toggleSidebar}>
          <SidebarIcon />
        </IconButton>
      )}
      {title && <h1 className={styles.title}>{title}</h1>}
      {tools && <div className={styles.tools}>{tools}</div>}
    </header>
  );
}
