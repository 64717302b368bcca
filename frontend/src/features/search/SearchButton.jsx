/** The way to the search in the list of conversations. It looks like a text field, since that is what it opens. */
import { SearchIcon } from '../../ui/icons.jsx';
import { MOD } from '../../ui/keyNames.js';
import styles from './SearchButton.module.css';

/** @param {{onSearch: () => void}} props */
export function SearchButton({ onSearch }) {
  return (
    <button
      type="button"
      className={styles.button}
      aria-haspopup="dialog"
      aria-keyshortcuts="Control+K Meta+K"
      onClick={onSearch}
    >
      <SearchIcon />
      Search
      <kbd aria-hidden="true">{MOD} K</kbd>
    </button>
  );
}
