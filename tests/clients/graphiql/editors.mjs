/** The page's editors, by the file names that GraphiQL gives their models. */
export class Editors {
  constructor(page) {
    this.page = page;
  }

  /** Waits until the editors and the schema are there. */
  async ready() {
    await this.page.waitForFunction(() => globalThis.__MONACO?.editor.getModels().length >= 4);
    await this.page.locator('.graphiql-execute-button').waitFor();
  }

  read(file) {
    return this.page.evaluate((name) => {
      const models = globalThis.__MONACO.editor.getModels();
      return models.find(({ uri }) => uri.path.endsWith(name)).getValue();
    }, file);
  }

  async write(file, text) {
    await this.page.evaluate(
      ([name, value]) => {
        const models = globalThis.__MONACO.editor.getModels();
        models.find(({ uri }) => uri.path.endsWith(name)).setValue(value);
      },
      [file, text],
    );
  }

  /** The first complaint about a file, once there is one. */
  async complaint(file) {
    const handle = await this.page.waitForFunction((name) => {
      const markers = globalThis.__MONACO.editor.getModelMarkers({});
      return markers.find(({ resource }) => resource.path.endsWith(name))?.message;
    }, file);
    return handle.jsonValue();
  }

  /** Presses the button and waits for a response, or for one that is `wanted`. */
  async run(wanted = () => true) {
    await this.write('response.json', '');
    await this.page.locator('.graphiql-execute-button').click();
    for (;;) {
      await this.page.waitForFunction(() => {
        const models = globalThis.__MONACO.editor.getModels();
        return models.find(({ uri }) => uri.path.endsWith('response.json')).getValue() !== '';
      });
      const response = JSON.parse(await this.read('response.json'));
      if (wanted(response)) return response;
    }
  }
}
