/** One of a few: a row of buttons of which exactly one is down. Arrow keys move inside, Tab leaves. */
import { ToggleButton, ToggleButtonGroup } from "react-aria-components";
import styles from "./Segmented.module.css";

export interface Segment<T extends string> {
  id: T;
  text: string;
  /** What a screen reader says instead of the text. */
  spoken?: string;
  testId?: string;
}

interface SegmentedProps<T extends string> {
  label: string;
  segments: readonly Segment<T>[];
  chosen: T;
  onChoose: (id: T) => void;
  testId?: string;
  quiet?: boolean;
}

export function Segmented<T extends string>(props: SegmentedProps<T>) {
  const { label, segments, chosen, onChoose, testId, quiet = false } = props;
  return (
    <ToggleButtonGroup
      aria-label={label}
      className={quiet ? styles.quiet : styles.group}
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={[chosen]}
      onSelectionChange={(keys) => {
        const next = segments.find(({ id }) => keys.has(id));
        if (next) onChoose(next.id);
      }}
      data-testid={testId}
    >
      {segments.map(({ id, text, spoken, testId: buttonTestId }) => (
        <ToggleButton key={id} id={id} className={styles.button} aria-label={spoken} data-testid={buttonTestId}>
          {text}
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}
