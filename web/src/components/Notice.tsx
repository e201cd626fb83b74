/** A title and a sentence in the middle of an empty space: what is the matter, and what happens next. */
import type { ReactNode } from "react";
import styles from "./Notice.module.css";

interface NoticeProps {
  title: string;
  detail?: string;
  /** Something is being tried right now. */
  busy?: boolean;
  children?: ReactNode;
}

export function Notice({ title, detail, busy = false, children }: NoticeProps) {
  return (
    <div className={styles.notice} role="status" data-testid="notice">
      {busy && <span className={styles.spinner} aria-hidden="true" />}
      <p className={styles.title}>{title}</p>
      {detail && <p className={styles.detail}>{detail}</p>}
      {children}
    </div>
  );
}
