/** The feed that runs now, as the stream tells it: null while none has been chosen, undefined before anything was heard. */
import { useState } from "react";
import { useChannel } from "../app/services";
import type { FeedNow } from "../stream/protocol";

export function useFeed(): FeedNow | null | undefined {
  const [feed, setFeed] = useState<FeedNow | null>();
  useChannel("feed", setFeed);
  return feed;
}
