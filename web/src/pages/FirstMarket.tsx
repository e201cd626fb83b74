/** `/`: goes on to the market the person saw last, else to the first one listed. */
import { useQuery } from "@tanstack/react-query";
import { Navigate } from "@tanstack/react-router";
import { symbolsQuery } from "../api/queries";
import { sentenceFor } from "../api/sentences";
import { Notice } from "../components/Notice";
import { symbolStore } from "../preferences/preferences";

export function FirstMarket() {
  const symbols = useQuery(symbolsQuery);
  const remembered = symbolStore.get();
  if (symbols.data === undefined) {
    const reason = symbols.error ?? symbols.failureReason;
    const sentence = reason
      ? sentenceFor(reason)
      : { title: "Opening the house", detail: "Reading the list of markets." };
    return (
      <main>
        <Notice {...sentence} busy={symbols.isFetching} />
      </main>
    );
  }
  const symbol = symbols.data.find((each) => each.symbol === remembered) ?? symbols.data[0];
  if (symbol !== undefined) return <Navigate to="/markets/$symbol" params={{ symbol: symbol.symbol }} replace />;
  return (
    <main>
      <Notice
        title="No market is listed yet"
        detail="Name pairs in the setting market.pairs, such as BTC/USDT, and restart the house."
      />
    </main>
  );
}
