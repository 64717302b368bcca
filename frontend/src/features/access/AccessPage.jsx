/** How the person who is logged in gets in: the second factor, and other services that vouch for them. */
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';

import { fetchAccessConfig, fetchSecondFactor } from '../../api/access.js';
import { asProblem } from '../../api/problems.js';
import { ScrollingPage } from '../../app/ScrollingPage.jsx';
import { Button } from '../../ui/Button.jsx';
import { Notice } from '../../ui/Field.jsx';
import styles from './AccessPage.module.css';
import { OtherService } from './OtherService.jsx';
import { SecondFactor } from './SecondFactor.jsx';

export default function AccessPage() {
  return (
    <ScrollingPage documentTitle="Log-in" className={styles.column}>
      <Link className={styles.back} to="/settings">
        Settings
      </Link>
      <h1>Log-in</h1>
      <Ways />
    </ScrollingPage>
  );
}

function Ways() {
  const config = useQuery({ queryKey: ['access-config'], queryFn: fetchAccessConfig, staleTime: 0 });
  const factor = useQuery({ queryKey: ['second-factor'], queryFn: fetchSecondFactor, staleTime: 0 });
  const failed = [config, factor].find((query) => query.isError);
  if (failed) {
    return (
      <div className={styles.trouble}>
        <Notice>{asProblem(failed.error).message}</Notice>
        <Button onClick={() => void Promise.all([config.refetch(), factor.refetch()])}>Retry</Button>
      </div>
    );
  }
  if (!config.data || !factor.data) return <p className={styles.about}>Reading…</p>;
  return (
    <>
      <section className={styles.section} aria-labelledby="second-factor">
        <h2 id="second-factor">Second factor</h2>
        <SecondFactor factor={factor.data} offered={config.data.secondFactor} onChanged={() => factor.refetch()} />
      </section>
      {config.data.services.map((service) => (
        <section key={service.id} className={styles.section} aria-labelledby={`service-${service.id}`}>
          <h2 id={`service-${service.id}`}>{service.name}</h2>
          <OtherService service={service} />
        </section>
      ))}
    </>
  );
}
