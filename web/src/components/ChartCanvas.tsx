/**
 * Puts the chart on the page and hands it what React knows. The chart draws by itself: a candle that moves renders no
 * component but the legend.
 *
 * Keys: left and right walk from candle to candle, with Shift they scroll; + and - zoom; Home goes to the oldest loaded
 * candle, End to the newest; Escape lets go of the crosshair.
 */
import { type KeyboardEvent, type RefObject, useEffect, useEffectEvent, useRef } from "react";
import { Button } from "react-aria-components";
import { inspect } from "../app/inspection";
import { ChartView } from "../chart/chartView";
import { readPalette } from "../chart/palette";
import type { Zone } from "../format/time";
import type { Bar } from "../market/bars";
import type { CandleSession } from "../market/candleSession";
import { themeStore } from "../preferences/theme";
import { useStore } from "../store/store";
import styles from "./ChartPanel.module.css";

interface ChartCanvasProps {
  session: CandleSession;
  zone: Zone;
  places: number;
  /** The chart in words. */
  summary: string;
  following: boolean;
  onPoint: (bar: Bar | undefined) => void;
  onFollowing: (following: boolean) => void;
}

const SCROLL_BARS = 10;
const ZOOM_STEP = 1.25;

export function ChartCanvas(props: ChartCanvasProps) {
  const { session, zone, places, summary, following } = props;
  const container = useRef<HTMLDivElement>(null);
  const view = useChartView(container, props);
  const theme = useStore(themeStore);

  useEffect(() => view.current?.setPalette(readPalette()), [view, theme]);
  useEffect(() => view.current?.setZone(zone), [view, zone]);
  useEffect(() => view.current?.setPlaces(places), [view, places]);
  useEffect(() => {
    view.current?.open(session.series, session.stepSeconds);
    return session.onChange((change) => {
      view.current?.apply(change);
    });
  }, [view, session]);

  return (
    <>
      <div
        ref={container}
        className={styles.chart}
        data-testid="chart"
        // The keys below belong to the chart as a whole; there is no native element for that.
        role="application"
        aria-roledescription="chart"
        aria-label={summary}
        aria-describedby="chart-keys"
        tabIndex={0}
        onKeyDown={(event) => {
          if (view.current && pressed(view.current, event)) event.preventDefault();
        }}
      />
      <p id="chart-keys" className="visually-hidden">
        Left and right walk from candle to candle, with Shift they scroll. Plus and minus zoom. Home and End go to the
        oldest and the newest candle.
      </p>
      {!following && (
        <Button className={styles.newest} onPress={() => view.current?.scrollToNewest()} data-testid="to-newest">
          To newest
        </Button>
      )}
    </>
  );
}

/** The chart inside the container. Its effect stands first, so that it is there when the others run. */
function useChartView(
  container: RefObject<HTMLDivElement | null>,
  { session, onPoint, onFollowing }: ChartCanvasProps,
): RefObject<ChartView | null> {
  const view = useRef<ChartView>(null);
  const readOlder = useEffectEvent(() => void session.readOlder());
  const point = useEffectEvent(onPoint);
  const follow = useEffectEvent(onFollowing);
  useEffect(() => {
    if (container.current === null) return;
    const created = new ChartView(container.current, readPalette(), {
      onNearOldest: () => {
        readOlder();
      },
      onPoint: (bar) => {
        point(bar);
      },
      onFollowing: (following) => {
        follow(following);
      },
    });
    view.current = created;
    inspect(created);
    return () => {
      view.current = null;
      inspect(undefined);
      created.remove();
    };
  }, [container]);
  return view;
}

/** Do what the key says; false when it says nothing to a chart. */
function pressed(view: ChartView, { key, shiftKey, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  if (ctrlKey || metaKey || altKey) return false;
  const actions: Record<string, () => void> = {
    ArrowLeft: () => {
      if (shiftKey) view.scrollBy(-SCROLL_BARS);
      else view.movePointer(-1);
    },
    ArrowRight: () => {
      if (shiftKey) view.scrollBy(SCROLL_BARS);
      else view.movePointer(1);
    },
    "+": () => {
      view.zoom(ZOOM_STEP);
    },
    "=": () => {
      view.zoom(ZOOM_STEP);
    },
    "-": () => {
      view.zoom(1 / ZOOM_STEP);
    },
    Home: () => {
      view.scrollToOldest();
    },
    End: () => {
      view.scrollToNewest();
    },
    Escape: () => {
      view.clearPointer();
    },
  };
  const action = actions[key];
  action?.();
  return action !== undefined;
}
