"""Work on many inputs. A `Job` says as plain data what is computed; serial and Ray executors give the same bytes for it; a store
keeps them in shards, so that work that was interrupted goes on where it stopped.

job, items       what is computed, and on what
worker, shard    one function computes a shard; its bytes
store, disk      shards on a disk, and what is known of them
serial, scale    executors: this process, or Ray's
run, plan        a run from beginning to end; what it will take
audit/           clusters of explanations, and tests of what they show
"""

from .job import Job as Job
