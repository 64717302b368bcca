/** A button that copies one text, and says for a moment that it did. */
import { useEffect, useState } from 'react';

import { Button } from '../../ui/Button.jsx';
import { copyText } from '../../ui/clipboard.js';
import { CheckIcon, CopyIcon } from '../../ui/icons.jsx';

const SAID_FOR_MS = 2000;

/** @param {{text: string, what: string, wordy?: boolean, kind?: 'primary'|'quiet'}} props wordy: it is to be read what is copied */
export function CopyButton({ text, what, wordy = false, kind = 'quiet' }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), SAID_FOR_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <Button kind={kind} aria-label={copied ? 'Copied' : `Copy ${what}`} onClick={async () => setCopied(await copyText(text))}>
      {copied ? <CheckIcon /> : <CopyIcon />}
      {copied ? 'Copied' : wordy ? `Copy ${what}` : 'Copy'}
    </Button>
  );
}
