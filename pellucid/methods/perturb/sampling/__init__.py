"""The loop of perturbation methods: designs of coalitions, queries to the model, responses, and estimators that read them."""
