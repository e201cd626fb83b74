/** Times in UTC, or as the clock on this computer shows them. */
import { localZoneName, type Zone } from "../format/time";
import { zoneStore } from "../preferences/preferences";
import { useStore } from "../store/store";
import { Segmented } from "./Segmented";

export function ZoneSwitch() {
  const zone = useStore(zoneStore);
  const spoken = `Local time, ${localZoneName()}`;
  return (
    <Segmented<Zone>
      label="Time zone"
      segments={[
        { id: "utc", text: "UTC", spoken: "UTC", testId: "timezone-utc" },
        { id: "local", text: "Local", spoken, testId: "timezone-local" },
      ]}
      chosen={zone}
      onChoose={zoneStore.set}
      testId="timezone"
    />
  );
}
