/** An address that leads nowhere. */
import { Link } from "@tanstack/react-router";
import { Notice } from "../components/Notice";

export function Missing() {
  return (
    <main>
      <Notice title="There is no such page" detail="The address may be mistyped, or from another version.">
        <Link to="/">Go to the markets</Link>
      </Notice>
    </main>
  );
}
