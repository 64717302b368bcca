/** The items of a menu with which a conversation is kept as a file. They are links: the browser saves what they name. */
import { exportAddress } from '../../api/exports.js';
import { DownloadIcon } from '../../ui/icons.jsx';
import { MenuItem } from '../../ui/Menu.jsx';
import styles from './ExportItems.module.css';

/** @type {{format: import('../../api/exports.js').ExportFormat, label: string}[]} */
const FORMATS = [
  { format: 'markdown', label: 'Download as Markdown' },
  { format: 'json', label: 'Download as JSON' },
];

/** @param {{conversationId: string, icons?: boolean}} props icons: as the other items of the menu have them */
export function ExportItems({ conversationId, icons = false }) {
  return FORMATS.map(({ format, label }) => (
    <MenuItem key={format} asChild>
      <a className={styles.link} href={exportAddress(conversationId, format)} download>
        {icons && <DownloadIcon />}
        {label}
      </a>
    </MenuItem>
  ));
}
