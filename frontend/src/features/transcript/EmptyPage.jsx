/** The first thing a person sees: what this is, three ways to begin, and where the answer will come from. */
import { asProblem } from '../../api/problems.js';
import { Button } from '../../ui/Button.jsx';
import { Notice } from '../../ui/Field.jsx';
import { Quotes } from '../../ui/Marks.jsx';
import { findModel, useChosenForNew, useModels, whereAnswersComeFrom, whyNoAnswer } from '../composer/models.js';
import { PresetChoice } from '../settings/PresetChoice.jsx';
import styles from './EmptyPage.module.css';

const STARTERS = [
  { title: 'Explain something', text: 'Explain how rainbows form, in three short paragraphs.' },
  { title: 'Write a draft', text: 'Write a friendly email that moves Thursday’s meeting to Friday morning.' },
  { title: 'Get unstuck', text: 'Write a Python function that groups words by their first letter, with an example.' },
];

/** @param {{onStart: (text: string) => void}} props */
export function EmptyPage({ onStart }) {
  const chosen = useChosenForNew();
  const models = useModels();
  const model = findModel(models.data, chosen);
  const trouble = models.isError ? asProblem(models.error).message : models.data ? whyNoAnswer(models.data, model) : null;
  return (
    <div className={styles.page}>
      <div className={styles.inner}>
        <span className={styles.mark}>
          <Quotes size={34} />
        </span>
        <h1>Verbatim</h1>
        <p className={styles.sentence}>A calm place to talk with a language model. Every word is kept, exactly as it was said.</p>
        <ul className={styles.starters} aria-label="Ways to begin">
          {STARTERS.map((starter) => (
            <li key={starter.title}>
              <button type="button" className={styles.starter} onClick={() => onStart(starter.text)}>
                <strong>{starter.title}</strong>
                <span>{starter.text}</span>
              </button>
            </li>
          ))}
        </ul>
        <PresetChoice />
        {trouble ? (
          <div className={styles.trouble}>
            <Notice>
              <p>{trouble}</p>
            </Notice>
            <Button disabled={models.isFetching} onClick={() => void models.refetch()}>
              {models.isFetching ? 'Asking…' : 'Retry'}
            </Button>
          </div>
        ) : (
          <p className={styles.where}>
            {model && models.data ? whereAnswersComeFrom(model, models.data.runners) : '\u00a0'}
            {model?.demonstration && <span className={styles.demo}>demonstration model</span>}
          </p>
        )}
      </div>
    </div>
  );
}
