/** How a token is used, with this installation's own address and a model it has. */
import { useId } from 'react';

import { findModel, useModels } from '../composer/models.js';
import { CopyButton } from './CopyButton.jsx';
import { TOKEN_TO_FILL_IN, baseUrl, curlExample, pythonExample } from './examples.js';
import styles from './TokensPage.module.css';

/** @param {{token: string|null}} props null: no longer known */
export function Examples({ token }) {
  const models = useModels();
  const facts = {
    origin: window.location.origin,
    token: token ?? TOKEN_TO_FILL_IN,
    model: findModel(models.data, '')?.id ?? 'YOUR-MODEL',
  };
  return (
    <section className={styles.examples} aria-labelledby="token-examples">
      <h2 id="token-examples">Use it</h2>
      <p className={styles.about}>
        In a program that speaks OpenAI’s interface, set the base URL to <code>{baseUrl(facts.origin)}</code> and the API
        key to the token. The header <code>X-Conversation-Id</code> of each answer says which conversation it is in.{' '}
        <a href="/api/docs/#openai_chat_completions" target="_blank" rel="noopener">
          What programs can ask, and what is recorded of it
        </a>
      </p>
      <Example title="curl" what="the curl example" code={curlExample(facts)} />
      <Example title="Python, with the openai package" what="the Python example" code={pythonExample(facts)} />
    </section>
  );
}

/** @param {{title: string, what: string, code: string}} props */
function Example({ title, what, code }) {
  const id = useId();
  return (
    <div className={styles.example}>
      <div className={styles.exampleHead}>
        <h3 id={id}>{title}</h3>
        <CopyButton text={code} what={what} />
      </div>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard */}
      <pre tabIndex={0} role="group" aria-labelledby={id}>
        <code>{code}</code>
      </pre>
    </div>
  );
}
