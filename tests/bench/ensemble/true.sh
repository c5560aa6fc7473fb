#!/bin/sh
# A job.
exec /bin/true
