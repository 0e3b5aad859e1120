"""What runs put into the demonstration, and into an org for trials."""

from orchestrator.identity import seeds
from runs.demo import plans, stories, trials, workflows

seeds.register_scenes(
    (47.8, workflows.make),
    (46.9, plans.limit),
    *stories.daily(),
    (45, stories.nights),
    (36, workflows.branch),
    (33, workflows.change_minds),
    (31, workflows.merge),
    (28, workflows.promote),
    (22, stories.failures),
    (21, stories.nights),
    (14, stories.again),
    (8, stories.cancelled),
    (6, plans.make_jobs),
    (4, stories.patched),
    (2, stories.waiting),
    (0.1, plans.trigger),
    (0.05, stories.now),
)
trials.register()
