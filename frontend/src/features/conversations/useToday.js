/** The current date; changes at midnight, so that "Today" stays true on a page that is left open. */
import { useEffect, useState } from 'react';

export function useToday() {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1);
    const timer = setTimeout(() => setNow(new Date()), midnight.getTime() - Date.now() + 500);
    return () => clearTimeout(timer);
  }, [now]);
  return now;
}
