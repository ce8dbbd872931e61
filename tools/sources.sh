#!/bin/sh
# Lists the C sources that the formatter looks after.
cd "$(dirname "$0")/.." || exit 1
find include src tests bench examples -name '*.[ch]' -type f | LC_ALL=C sort
