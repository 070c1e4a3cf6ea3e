"""What the server and the decoding process say to one another: two lengths, a JSON header, and content."""

from __future__ import annotations

import struct

HEAD = struct.Struct(">II")  # the lengths of the header and of the content, which follow
