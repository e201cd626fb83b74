/** Start of the terminal. */
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createQueryClient } from "./api/queries";
import { installInspection } from "./app/inspection";
import { createTerminalRouter } from "./app/router";
import { StreamProvider, streamUrl } from "./app/services";
import { watchTheme } from "./preferences/theme";
import { StreamClient } from "./stream/client";
import "./styles/base.css";

watchTheme();
installInspection();

const stream = new StreamClient(streamUrl(location));
stream.start();
addEventListener("online", () => {
  stream.retryNow();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) stream.retryNow();
});

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");

createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={createQueryClient()}>
      <StreamProvider value={stream}>
        <RouterProvider router={createTerminalRouter()} />
      </StreamProvider>
    </QueryClientProvider>
  </StrictMode>,
);
